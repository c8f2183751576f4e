-- What each place says of a policy: the narrower one wins. credentials.policy is what follows from all of them, without
-- the defaults; where policy_id names a policy, own_policy is empty.
ALTER TABLE environments ADD COLUMN policy jsonb NOT NULL DEFAULT '{}';
ALTER TABLE teams ADD COLUMN policy jsonb NOT NULL DEFAULT '{}';
ALTER TABLE credentials ADD COLUMN own_policy jsonb NOT NULL DEFAULT '{}';
UPDATE credentials SET own_policy = policy WHERE policy_id IS NULL;

-- How many rotations may be open at once there; null: the default for a connection, no limit for the others.
ALTER TABLE environments ADD COLUMN max_concurrent integer CHECK (max_concurrent > 0);
ALTER TABLE teams ADD COLUMN max_concurrent integer CHECK (max_concurrent > 0);
ALTER TABLE connections ADD COLUMN max_concurrent integer CHECK (max_concurrent > 0);

-- No effect that consumers can feel, by a person's declaration: of one team, of one environment, or of all.
CREATE TABLE freezes (
  id text PRIMARY KEY,
  team_id text REFERENCES teams,
  environment_id text REFERENCES environments,
  reason text NOT NULL CHECK (reason <> ''),
  from_at timestamptz NOT NULL,
  until_at timestamptz NOT NULL CHECK (until_at > from_at),
  declared_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- before its time
  ended_at timestamptz,
  CHECK (team_id IS NULL OR environment_id IS NULL)
);
CREATE INDEX freezes_by_end ON freezes (until_at) WHERE ended_at IS NULL;

-- When the current version has to be replaced and why then; the first time after it at which that may begin; both null
-- when only a person asks. They follow from policy, version, expiry and freezes, and are reckoned by the sweep once
-- is_reckoned says that they have to be.
ALTER TABLE credentials
  ADD COLUMN due_at timestamptz,
  ADD COLUMN due_because text,
  ADD COLUMN begins_at timestamptz,
  ADD COLUMN is_reckoned boolean NOT NULL DEFAULT false,
  -- how many of its rotations in a row have not ended as proven, all for this one reason
  ADD COLUMN failures integer NOT NULL DEFAULT 0,
  ADD COLUMN failed_code text,
  -- after a failure or a refusal
  ADD COLUMN not_before timestamptz,
  -- why the sweep could not begin when it last tried
  ADD COLUMN refused_code text;
CREATE INDEX credentials_by_begin ON credentials (begins_at) WHERE retired_at IS NULL;
CREATE INDEX credentials_to_reckon ON credentials (id) WHERE NOT is_reckoned AND retired_at IS NULL;

CREATE FUNCTION reckon_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.is_reckoned := false;
  RETURN NEW;
END $$;
CREATE TRIGGER reckon_again BEFORE UPDATE ON credentials FOR EACH ROW
  WHEN ((OLD.policy, OLD.current_version, OLD.inventory, OLD.not_before)
    IS DISTINCT FROM (NEW.policy, NEW.current_version, NEW.inventory, NEW.not_before))
  EXECUTE FUNCTION reckon_again();

-- Worker processes, each with the pools that it serves. A row that nobody renews is a worker that has stopped.
CREATE TABLE workers (
  id text PRIMARY KEY,
  pools text[] NOT NULL,
  release text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What the watcher has found to be wrong, while it is.
CREATE TABLE alarms (
  key text PRIMARY KEY,
  about text NOT NULL,
  text text NOT NULL,
  raised_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Metrics ask for the last day.
CREATE INDEX rotations_by_close ON rotations (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX audit_by_time ON audit (at);
