-- What runs on credentials of others is found by whose it is, without a look at everybody's.
CREATE INDEX consumers_by_team ON consumers (team_id) WHERE retired_at IS NULL;
