-- A value that somebody found is looked for by its fingerprint, or by the name that its issuer gave it. Byte by byte ("C"),
-- so that key ids, with which fingerprints begin, can be stepped through.
CREATE INDEX versions_by_fingerprint ON versions (fingerprint COLLATE "C") WHERE fingerprint IS NOT NULL;
CREATE INDEX versions_by_handle ON versions (handle) WHERE handle IS NOT NULL;
-- Those that nobody can recognise, because their value was never given.
CREATE INDEX versions_without_fingerprint ON versions (credential_id)
  WHERE fingerprint IS NULL AND state NOT IN ('intended', 'proven-dead');
-- How many values a token has had compared lately.
CREATE INDEX audit_leak_checks ON audit (actor, at) WHERE action = 'leak.checked';
