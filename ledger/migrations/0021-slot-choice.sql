-- What is done where the issuer has no room for another version; null: what the rotation's order suggests.
ALTER TABLE emergencies ADD COLUMN when_full text CHECK (when_full IN ('end-older', 'in-place', 'hold'));
