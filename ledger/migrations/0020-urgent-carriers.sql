-- Whether the workflow that carries a rotation runs where nothing waits for routine work. What hurries and is not carried
-- there is taken over by one that does.
ALTER TABLE rotations ADD COLUMN carrier_urgent boolean NOT NULL DEFAULT false;
