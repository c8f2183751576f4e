-- What the issuer told of the version's last use, for people: {toldAt, at, by}, by the issuer's clock. `at` is null for one
-- that was never used; the whole is null where the issuer has not been asked or tells nothing of the kind.
ALTER TABLE versions ADD COLUMN last_use jsonb;
