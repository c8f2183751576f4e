-- Endpoints that are told what happens, and what each is still to be told. Nothing of a value is in any of it.
CREATE TABLE notices (
  id text PRIMARY KEY,
  team_id text NOT NULL REFERENCES teams,
  name text NOT NULL,
  format text NOT NULL,
  -- what decides where it is sent, and what its secret is bound to; a url that is itself the secret is not in it
  settings jsonb NOT NULL,
  events text[] NOT NULL CHECK (events <> '{}'),
  -- hears of every team; else of what its own team may see
  of_all boolean NOT NULL DEFAULT false,
  -- as a connection's: the place in custody, how often one was given, a keyed digest to tell whether it is the same
  secret_row text,
  secret_revision integer NOT NULL DEFAULT 0,
  secret_fingerprint text,
  -- the one before, which signs as well until then
  former_row text,
  former_revision integer,
  former_until timestamptz,
  sign_both_for_ms bigint NOT NULL,
  -- one sender at a time: who holds the turn and until when; a sender that died leaves it to run out
  turn text,
  turn_until timestamptz,
  -- left alone until then, after an attempt that did not get through
  rests_until timestamptz,
  last_sent_at timestamptz,
  last_given_up_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  retired_at timestamptz,
  CHECK ((former_row IS NULL) = (former_until IS NULL))
);
CREATE UNIQUE INDEX notices_by_name ON notices (team_id, name) WHERE retired_at IS NULL;
CREATE INDEX notices_with_former ON notices (former_until) WHERE former_until IS NOT NULL;

-- How far the outbox has been read. Locked while it moves, together with what it makes.
CREATE TABLE notice_cursor (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  position bigint NOT NULL
);
-- What has happened before is told to nobody.
INSERT INTO notice_cursor (position) SELECT coalesce(max(position), 0) FROM audit_seals;

CREATE TABLE notice_deliveries (
  id text PRIMARY KEY,
  notice_id text NOT NULL REFERENCES notices,
  -- of the sealed event
  position bigint NOT NULL,
  event text NOT NULL,
  body jsonb NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'given-up')),
  attempts integer NOT NULL DEFAULT 0,
  next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- how the last attempt ended, and the status it was answered with
  last_code text,
  last_status integer,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  CHECK ((state = 'pending') = (ended_at IS NULL)),
  -- no event is told twice to one endpoint
  UNIQUE (notice_id, position)
);
CREATE INDEX notice_deliveries_due ON notice_deliveries (notice_id, next_at) WHERE state = 'pending';
CREATE INDEX notice_deliveries_ended ON notice_deliveries (ended_at) WHERE state <> 'pending';

-- What was found by looking and is told once: an announced due time, an overdue one, who is the last to adopt.
CREATE TABLE notice_marks (
  about text NOT NULL,
  subject_id text NOT NULL,
  -- which of them: a due time, a rotation
  which text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (about, subject_id, which)
);

-- When those who run on a credential are told that it becomes due; null once they are. It is reckoned with the due time.
ALTER TABLE credentials ADD COLUMN announce_at timestamptz;
CREATE INDEX credentials_to_announce ON credentials (announce_at) WHERE announce_at IS NOT NULL AND retired_at IS NULL;
UPDATE credentials SET is_reckoned = false WHERE due_at IS NOT NULL;
