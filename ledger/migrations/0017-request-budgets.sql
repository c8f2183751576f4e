-- How many requests may go over a connection in a second, all workers together. One of two at least is kept for emergencies.
ALTER TABLE connections ADD COLUMN requests_per_second integer CHECK (requests_per_second >= 2);

-- What has been spent of them, in the columns of rate-limiter-flexible: forgotten a second later.
CREATE UNLOGGED TABLE request_budgets (
  key varchar(255) PRIMARY KEY,
  points integer NOT NULL,
  expire bigint
);

-- A request that had to wait for its turn within the budget.
ALTER TABLE provider_calls DROP CONSTRAINT provider_calls_outcome_check;
ALTER TABLE provider_calls ADD CONSTRAINT provider_calls_outcome_check
  CHECK (outcome IN ('ok', 'throttled', 'failed', 'waited'));
