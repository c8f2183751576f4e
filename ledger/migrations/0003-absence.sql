-- When a worker came back to the rotation after nobody had looked at it for long: a step asks a person only after it has
-- looked for its time itself. Samples and evidence from before stay what they are, so that asked_since is not moved.
ALTER TABLE rotations ADD COLUMN back_since timestamptz;
