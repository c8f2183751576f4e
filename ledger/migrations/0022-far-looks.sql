-- When whoever carries a rotation looks at it again at the latest, where that is long after it looked last: a window is far away.
ALTER TABLE rotations ADD COLUMN looks_by timestamptz;
-- What it waits for has changed: it is to look now.
ALTER TABLE rotations ADD COLUMN wakes boolean NOT NULL DEFAULT false;
CREATE INDEX woken_rotations ON rotations (id) WHERE wakes;
