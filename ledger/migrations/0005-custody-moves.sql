-- Rises with each step of a move, so that a late one finds that others have gone on.
ALTER TABLE custody_places ADD COLUMN generation bigint NOT NULL DEFAULT 0;
