-- Where values rest, when it is not in custody_values. A key without a row lies there, if it lies anywhere.
CREATE TABLE custody_places (
  key        text PRIMARY KEY, -- credential/version/purpose; stays when the value is forgotten
  place      text NOT NULL,
  -- while a value is moved: where it lies as well, or is about to
  other      text CHECK (other <> place),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX custody_places_place ON custody_places (place);

-- Where a credential's new values go.
ALTER TABLE credentials ADD COLUMN custody text NOT NULL DEFAULT 'embedded';
