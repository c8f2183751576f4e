-- One order for deliveries and evidence: evidence counts only when it is newer than its delivery.
CREATE SEQUENCE ledger_sequence;

CREATE TABLE environments (id text PRIMARY KEY, name text NOT NULL UNIQUE, created_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE teams (id text PRIMARY KEY, name text NOT NULL UNIQUE, contact text NOT NULL DEFAULT '', created_at timestamptz NOT NULL DEFAULT clock_timestamp());

-- Labels and annotations of whatever is registered, by its id.
CREATE TABLE object_metadata (
  object_id text PRIMARY KEY,
  labels jsonb NOT NULL DEFAULT '{}',
  annotations jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE policies (
  id text PRIMARY KEY,
  team_id text NOT NULL REFERENCES teams,
  name text NOT NULL,
  policy jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  retired_at timestamptz
);
CREATE UNIQUE INDEX policies_by_name ON policies (team_id, name) WHERE retired_at IS NULL;

CREATE TABLE connections (
  id text PRIMARY KEY,
  team_id text NOT NULL REFERENCES teams,
  environment_id text NOT NULL REFERENCES environments,
  name text NOT NULL,
  kind text NOT NULL,
  settings jsonb NOT NULL,
  -- id that the secret in custody is filed under, together with how many times one was given; null: it has to be given (again)
  secret_row text,
  secret_revision integer NOT NULL DEFAULT 0,
  -- keyed digest of the secret, to tell whether the same one is given again
  secret_fingerprint text,
  admin_principal text NOT NULL,
  -- what the issuer called itself when a check last looked; null until then
  identity text,
  pool text NOT NULL DEFAULT 'default',
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (team_id, name)
);

CREATE TABLE credentials (
  id text PRIMARY KEY,
  team_id text NOT NULL REFERENCES teams,
  environment_id text NOT NULL REFERENCES environments,
  connection_id text NOT NULL REFERENCES connections,
  name text NOT NULL,
  kind text NOT NULL,
  rotation_order text NOT NULL CHECK (rotation_order IN ('overlap', 'single-slot')),
  config jsonb NOT NULL,
  -- every login that the credential may use at its issuer
  principals text[] NOT NULL,
  -- what rules it; where policy_id names a policy, always that one's own
  policy jsonb NOT NULL,
  policy_id text REFERENCES policies,
  -- who answers for it and what it opens: for people, nothing of a rotation follows from it
  inventory jsonb NOT NULL DEFAULT '{}',
  -- null until a check has adopted today's value as version 1
  current_version integer,
  claim_number bigint NOT NULL DEFAULT 0,
  next_version integer NOT NULL DEFAULT 1,
  revision integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (team_id, name)
);
CREATE INDEX credentials_by_connection ON credentials (connection_id);
CREATE INDEX credentials_by_policy ON credentials (policy_id) WHERE policy_id IS NOT NULL;

CREATE TABLE versions (
  id text PRIMARY KEY,
  credential_id text NOT NULL REFERENCES credentials,
  connection_id text NOT NULL REFERENCES connections,
  number integer NOT NULL CHECK (number > 0),
  state text NOT NULL CHECK (state IN ('intended', 'live', 'disabled', 'ended', 'proven-dead', 'accepted-unproven')),
  operation_key text NOT NULL UNIQUE,
  handle text,
  -- the issuer's own words, so that no digit of its clock is lost
  effective_at text,
  fingerprint text,
  -- nobody has given its value: it was adopted as one that consumers have and rekey does not
  is_unknown boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  UNIQUE (credential_id, number),
  UNIQUE (connection_id, handle)
);

-- One row per place that deliveries write, so that two credentials in one file take turns.
CREATE TABLE targets (
  target text PRIMARY KEY,
  last_number bigint NOT NULL DEFAULT 0
);

CREATE TABLE consumers (
  id text PRIMARY KEY,
  credential_id text NOT NULL REFERENCES credentials,
  team_id text NOT NULL REFERENCES teams,
  name text NOT NULL,
  kind text NOT NULL,
  -- over which the target is reached; null for kinds that need none
  connection_id text REFERENCES connections,
  target text NOT NULL REFERENCES targets,
  config jsonb NOT NULL,
  -- { "wanted"?: strength, "collectors": { "<kind>": config } }
  evidence jsonb NOT NULL,
  revision integer NOT NULL DEFAULT 1,
  -- what the last delivery put there, and the keyed digest it was read back with: anything else is drift
  held_version integer,
  held_digest text,
  retired_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX consumers_by_name ON consumers (credential_id, name) WHERE retired_at IS NULL;
CREATE INDEX consumers_by_connection ON consumers (connection_id) WHERE retired_at IS NULL;

CREATE TABLE rotations (
  id text PRIMARY KEY,
  credential_id text NOT NULL REFERENCES credentials,
  rotation_order text NOT NULL,
  phase text NOT NULL DEFAULT 'reserved',
  direction text NOT NULL DEFAULT 'forward' CHECK (direction IN ('forward', 'undo')),
  outcome text CHECK (outcome IN ('proven', 'undone', 'closed-unproven', 'failed-before-effect')),
  from_version integer,
  to_version integer NOT NULL,
  policy jsonb NOT NULL,
  pinned jsonb NOT NULL,
  requested_by text NOT NULL,
  reason text NOT NULL DEFAULT '',
  paused boolean NOT NULL DEFAULT false,
  urgent boolean NOT NULL DEFAULT false,
  -- how much longer than the policy's the grace is, by `extend`
  extended_ms bigint NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  last_code text,
  phase_since timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- since when the step of this phase has been asking: set anew when a hold is answered
  asked_since timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When a worker came back to the rotation after nobody had looked at it for long: a step asks a person only after it has
  -- looked for its time itself. Samples and evidence from before stay what they are, so that asked_since is not moved.
  back_since timestamptz,
  wait_until timestamptz,
  -- how long that wait was when it began: one that seems longer is from before the clock was set back
  wait_ms double precision,
  -- a person let it end, the way that it goes now, although a death was not proven
  accepted_unproven boolean NOT NULL DEFAULT false,
  -- when a step last read the row: silence makes the dispatcher look for its carrier
  looked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  carrier_workflow text,
  carrier_run text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  closed_at timestamptz,
  CHECK ((outcome IS NULL) = (closed_at IS NULL))
);
CREATE UNIQUE INDEX one_open_rotation ON rotations (credential_id) WHERE outcome IS NULL;
CREATE INDEX open_rotations ON rotations (looked_at) WHERE outcome IS NULL;
CREATE INDEX rotations_by_credential ON rotations (credential_id, created_at DESC);

CREATE TABLE rotation_principals (
  rotation_id text NOT NULL REFERENCES rotations,
  identity text NOT NULL,
  principal text NOT NULL,
  open boolean NOT NULL DEFAULT true,
  PRIMARY KEY (rotation_id, principal)
);
CREATE UNIQUE INDEX one_rotation_per_principal ON rotation_principals (identity, principal) WHERE open;

-- A rotation without a carrier yet; the first claim deletes its row.
CREATE TABLE starts (rotation_id text PRIMARY KEY REFERENCES rotations, created_at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE TABLE operations (
  id text PRIMARY KEY,
  rotation_id text NOT NULL REFERENCES rotations,
  step text NOT NULL,
  target text NOT NULL DEFAULT '',
  claim_epoch integer NOT NULL,
  claim_number bigint NOT NULL,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  done_at timestamptz,
  UNIQUE (rotation_id, step, target)
);

CREATE TABLE deliveries (
  id text PRIMARY KEY,
  rotation_id text NOT NULL REFERENCES rotations,
  consumer_id text NOT NULL REFERENCES consumers,
  target text NOT NULL REFERENCES targets,
  version integer NOT NULL,
  epoch integer NOT NULL,
  number bigint NOT NULL,
  sequence bigint,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (target, number)
);
CREATE INDEX deliveries_by_rotation ON deliveries (rotation_id, consumer_id);

CREATE TABLE evidence (
  sequence bigint PRIMARY KEY DEFAULT nextval('ledger_sequence'),
  rotation_id text NOT NULL REFERENCES rotations,
  consumer_id text NOT NULL REFERENCES consumers,
  version integer NOT NULL,
  -- the kind of evidence that collected it, 'target' for what was read back, 'person' for what one acknowledged
  source text NOT NULL,
  strength text NOT NULL,
  complete boolean NOT NULL,
  instances integer NOT NULL,
  -- what was missing, a sentence each
  lacks jsonb NOT NULL DEFAULT '[]',
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX evidence_by_consumer ON evidence (rotation_id, consumer_id, sequence DESC);

CREATE TABLE usage_samples (
  sequence bigint PRIMARY KEY DEFAULT nextval('ledger_sequence'),
  rotation_id text NOT NULL REFERENCES rotations,
  usage jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX usage_by_rotation ON usage_samples (rotation_id, sequence DESC);

CREATE TABLE verdicts (
  id text PRIMARY KEY,
  rotation_id text NOT NULL REFERENCES rotations,
  purpose text NOT NULL CHECK (purpose IN ('drain', 'revoke', 'abandon')),
  clear boolean NOT NULL,
  gaps jsonb NOT NULL,
  sequence bigint NOT NULL DEFAULT nextval('ledger_sequence'),
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX verdicts_by_rotation ON verdicts (rotation_id, sequence DESC);

CREATE TABLE holds (
  id text PRIMARY KEY,
  rotation_id text NOT NULL REFERENCES rotations,
  number integer NOT NULL,
  phase text NOT NULL,
  -- what was accepted going one way says nothing about the other
  direction text NOT NULL DEFAULT 'forward',
  code text NOT NULL,
  detail text NOT NULL,
  gaps jsonb NOT NULL DEFAULT '[]',
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  decision text CHECK (decision IN ('retry', 'roll-back', 'accept')),
  decided_by text,
  reason text,
  decided_at timestamptz,
  UNIQUE (rotation_id, number)
);
CREATE UNIQUE INDEX one_open_hold ON holds (rotation_id) WHERE decided_at IS NULL;

CREATE TABLE commands (
  id text PRIMARY KEY,
  rotation_id text NOT NULL REFERENCES rotations,
  kind text NOT NULL,
  arguments jsonb NOT NULL DEFAULT '{}',
  actor text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'consumed', 'refused')),
  refusal text,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX pending_commands ON commands (rotation_id, at) WHERE state = 'pending';

CREATE TABLE checks (
  id text PRIMARY KEY,
  kind text NOT NULL,
  -- the credential, connection or consumer that it looks at; null: nothing that is registered
  subject_id text,
  -- of the workers that can reach it
  pool text NOT NULL DEFAULT 'default',
  -- json, not jsonb: what is printed for people keeps its order
  arguments json NOT NULL DEFAULT '{}',
  requested_by text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
  -- of one given for this check alone; null: none was
  secret text CHECK (secret IN ('awaited', 'held', 'destroyed')),
  findings jsonb NOT NULL DEFAULT '[]',
  -- by kind
  result json,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz
);
CREATE INDEX pending_checks ON checks (at) WHERE state = 'pending' OR secret IN ('awaited', 'held');
CREATE INDEX checks_by_subject ON checks (subject_id) WHERE state = 'pending';

CREATE TABLE tokens (
  id text PRIMARY KEY,
  digest bytea NOT NULL UNIQUE,
  role text NOT NULL,
  expires_at timestamptz NOT NULL,
  last_used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
