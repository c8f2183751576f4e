-- Where a team asks a credential's value to go. Nothing is delivered there before the credential's owner has said yes to
-- exactly this content.
CREATE TABLE grants (
  id text PRIMARY KEY,
  credential_id text NOT NULL REFERENCES credentials,
  -- of the consumer
  team_id text NOT NULL REFERENCES teams,
  consumer text NOT NULL,
  -- a team's token asked: it is planned as that team sees the registry, now and when it is approved
  by_team boolean NOT NULL,
  -- a connection says which places the team may use there
  is_place_allowed boolean NOT NULL,
  manifest jsonb NOT NULL,
  -- all that decides where the value goes, with what it changes; `digest` is the SHA-256 of its canonical form
  content jsonb NOT NULL,
  digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  state text NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'approved', 'refused', 'withdrawn', 'outdated')),
  decided_by text,
  decided_at timestamptz,
  reason text NOT NULL DEFAULT '',
  CHECK ((state = 'pending') = (decided_at IS NULL)),
  CHECK ((decided_at IS NULL) = (decided_by IS NULL)),
  CHECK (state <> 'approved' OR decided_by <> requested_by)
);
CREATE UNIQUE INDEX grants_pending ON grants (credential_id, team_id, consumer) WHERE state = 'pending';
CREATE INDEX grants_by_team ON grants (team_id);
CREATE INDEX grants_by_credential ON grants (credential_id);

-- Teams to which an owner has told a credential's name. `team` as it was written: whether there is such a team is not told
-- to who may not know it, so that a name without a team lies here too, without effect.
CREATE TABLE credential_shares (
  credential_id text NOT NULL REFERENCES credentials,
  team text NOT NULL,
  team_id text REFERENCES teams,
  shared_by text NOT NULL,
  shared_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (credential_id, team)
);
CREATE INDEX credential_shares_by_team ON credential_shares (team_id);
