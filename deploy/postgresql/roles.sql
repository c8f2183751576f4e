-- The ledger's database and its two logins, to be run once by a superuser. Give each a password of its own afterwards, with
-- \password, which sends none in clear.
--   rekey_owner  owns the tables: only `rekey migrate` logs in by it
--   rekey        what `rekey serve` and `rekey worker` log in by: it can add to the audit trail and not change it
CREATE ROLE rekey_owner LOGIN;
CREATE ROLE rekey LOGIN;
CREATE DATABASE rekey OWNER rekey_owner;
REVOKE ALL ON DATABASE rekey FROM PUBLIC;
GRANT CONNECT ON DATABASE rekey TO rekey;
