-- How often workers have called issuers and consumers, since the ledger was made: figures for people, nothing follows from them.
CREATE TABLE provider_calls (
  kind text NOT NULL,
  verb text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('ok', 'throttled', 'failed')),
  calls bigint NOT NULL CHECK (calls >= 0),
  PRIMARY KEY (kind, verb, outcome)
);
