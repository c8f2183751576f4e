-- What has leaked. It is never delivered again, in whichever direction a rotation goes.
ALTER TABLE versions ADD COLUMN compromised_at timestamptz;

-- A person's demand that versions of a credential be proven dead.
CREATE TABLE emergencies (
  id text PRIMARY KEY,
  credential_id text NOT NULL REFERENCES credentials,
  versions integer[] NOT NULL CHECK (cardinality(versions) > 0),
  requested_by text NOT NULL,
  reason text NOT NULL CHECK (reason <> ''),
  -- the former version ends before consumers have another: from the start, or since the deadline
  contain boolean NOT NULL,
  deadline timestamptz NOT NULL,
  at_deadline text NOT NULL CHECK (at_deadline IN ('contain', 'hold')),
  -- the deadline has passed and what was to be done then is done
  is_overdue boolean NOT NULL DEFAULT false,
  -- the rotation that makes the clean version; null: it begins when the one that runs has ended
  rotation_id text REFERENCES rotations,
  -- why none could begin when that was last tried
  refused_code text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  outcome text CHECK (outcome IN ('proven', 'unproven')),
  closed_at timestamptz,
  CHECK ((outcome IS NULL) = (closed_at IS NULL))
);
CREATE INDEX open_emergencies ON emergencies (credential_id) WHERE outcome IS NULL;
CREATE INDEX emergencies_by_rotation ON emergencies (rotation_id) WHERE rotation_id IS NOT NULL;

-- Consumers that may be the leak: nothing is delivered to them and nothing they show counts, until a person releases them.
CREATE TABLE suspicions (
  emergency_id text NOT NULL REFERENCES emergencies,
  consumer_id text NOT NULL REFERENCES consumers,
  released_at timestamptz,
  released_by text,
  reason text,
  PRIMARY KEY (emergency_id, consumer_id),
  CHECK ((released_at IS NULL) = (released_by IS NULL))
);
CREATE INDEX suspected ON suspicions (consumer_id) WHERE released_at IS NULL;
