-- Who was seen at an issuer on a credential's login and is no consumer that anybody registered: one row for each database,
-- address and application, whatever the number of sessions. It names no secret, and decides nothing.
CREATE TABLE proposals (
  id text PRIMARY KEY,
  credential_id text NOT NULL REFERENCES credentials,
  address text NOT NULL,
  -- as the client calls itself
  application_name text NOT NULL,
  database text NOT NULL,
  -- the login it was last seen on
  principal text NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  samples bigint NOT NULL DEFAULT 1,
  -- in which it was last seen; null: by a look outside of any
  rotation_id text REFERENCES rotations,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'registered', 'dismissed')),
  -- that explains it
  consumer_id text REFERENCES consumers,
  dismissed_by text,
  reason text,
  settled_at timestamptz,
  CHECK ((state = 'open') = (settled_at IS NULL)),
  CHECK ((state = 'registered') = (consumer_id IS NOT NULL)),
  CHECK ((state = 'dismissed') = (dismissed_by IS NOT NULL)),
  UNIQUE (credential_id, address, application_name, database)
);
CREATE INDEX open_proposals ON proposals (credential_id) WHERE state = 'open';
