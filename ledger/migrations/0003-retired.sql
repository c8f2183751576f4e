-- What is deleted stays as a row, because its history names it. Its name is free again, and so are its handles: the same
-- login may be registered anew, by whichever name.
ALTER TABLE teams ADD COLUMN retired_at timestamptz;
ALTER TABLE environments ADD COLUMN retired_at timestamptz;
ALTER TABLE connections ADD COLUMN retired_at timestamptz;
ALTER TABLE credentials ADD COLUMN retired_at timestamptz;
ALTER TABLE versions ADD COLUMN retired_at timestamptz;

ALTER TABLE teams DROP CONSTRAINT teams_name_key;
CREATE UNIQUE INDEX teams_by_name ON teams (name) WHERE retired_at IS NULL;
ALTER TABLE environments DROP CONSTRAINT environments_name_key;
CREATE UNIQUE INDEX environments_by_name ON environments (name) WHERE retired_at IS NULL;
ALTER TABLE connections DROP CONSTRAINT connections_team_id_name_key;
CREATE UNIQUE INDEX connections_by_name ON connections (team_id, name) WHERE retired_at IS NULL;
ALTER TABLE credentials DROP CONSTRAINT credentials_team_id_name_key;
CREATE UNIQUE INDEX credentials_by_name ON credentials (team_id, name) WHERE retired_at IS NULL;
ALTER TABLE versions DROP CONSTRAINT versions_connection_id_handle_key;
CREATE UNIQUE INDEX versions_connection_id_handle_key ON versions (connection_id, handle) WHERE retired_at IS NULL;
