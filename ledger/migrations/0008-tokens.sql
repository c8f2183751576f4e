-- Tokens of several people: what each is for, who made it, and that it counts no more.
ALTER TABLE tokens ADD COLUMN team_id text REFERENCES teams;
ALTER TABLE tokens ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN made_by text NOT NULL DEFAULT 'system:api';
ALTER TABLE tokens ADD COLUMN revoked_at timestamptz;
ALTER TABLE tokens ADD CONSTRAINT team_of_team_tokens CHECK ((role = 'team') = (team_id IS NOT NULL));
