-- A version that had leaked and is proven dead is looked at for a while, and so is what else can log in beside it.
CREATE TABLE death_watches (
  version_id text PRIMARY KEY REFERENCES versions,
  -- what is found makes it longer
  until timestamptz NOT NULL,
  next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- the last look that came through; null: none has yet
  looked_at timestamptz,
  -- why the last look did not
  last_code text,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX death_watches_due ON death_watches (next_at);

-- What no death explains: somebody on the dead version, the dead version able to log in again, a key that nobody knows.
CREATE TABLE death_findings (
  version_id text NOT NULL REFERENCES death_watches,
  kind text NOT NULL CHECK (kind IN ('used', 'revived', 'stranger')),
  -- the same as long as it is the same client or key
  key text NOT NULL,
  text text NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (version_id, kind, key)
);

-- Whoever is told everything is told this too.
UPDATE notices SET events = events || '{after-death}'
WHERE events @> '{upcoming,started,hold,done,failed,overdue,last-one}';
