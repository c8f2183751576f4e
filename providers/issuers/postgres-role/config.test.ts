import { expect, test } from "vitest";
import { PermanentError } from "../../../domain/errors.ts";
import { Secret } from "../../contract/secret.ts";
import { assertFit, revealField, type Value } from "../../contract/value.ts";
import { configSchema, connectionSchema, fields, type ConnectionConfig } from "./config.ts";
import { postgresRole } from "./definition.ts";
import { newValue } from "./new-value.ts";

const connection = { host: "db.internal", database: "postgres", user: "rekey_admin" };
const pair = configSchema.parse({ owner: "orders_owner", logins: ["orders_a", "orders_b"], database: "orders" });
const single = configSchema.parse({ login: "orders", database: "orders" });
const isGood = (given: unknown): boolean => connectionSchema.safeParse(given).success;

test("TLS may be off on this machine only, unless the exception is recorded", () => {
  const off = (host: string, more = {}) => isGood({ ...connection, host, tls: { mode: "off", ...more } });
  for (const host of ["127.0.0.1", "127.9.9.9", "localhost", "::1", "/run/postgresql"])
    expect(off(host), host).toBe(true);
  for (const host of ["db.internal", "10.0.0.1", "127.example.org", "0.0.0.0"]) expect(off(host), host).toBe(false);
  expect(off("db.internal", { unverified: true })).toBe(true);
  expect(isGood({ ...connection, host: "/run/postgresql", tls: { mode: "verify" } })).toBe(false);
});

test("a connection names one address and nothing unknown", () => {
  expect(connectionSchema.parse(connection)).toEqual({ ...connection, port: 5432 });
  for (const wrong of [
    { host: "a,b" },
    { host: "" },
    { host: "a b" },
    { port: 0 },
    { port: 65_536 },
    { sslmode: "off" },
  ])
    expect(isGood({ ...connection, ...wrong }), JSON.stringify(wrong)).toBe(false);
});

test("three different roles make a pair, with names that PostgreSQL keeps whole", () => {
  const given = (part: object) => configSchema.safeParse({ ...pair, ...part }).success;
  expect(given({ logins: ["a", 'we"ird; drop'] })).toBe(true);
  expect(given({ logins: ["a", "a"] })).toBe(false);
  expect(given({ logins: ["orders_owner", "a"] })).toBe(false);
  expect(given({ logins: ["a", "ä".repeat(32)] })).toBe(false);
  expect(given({ logins: ["a", "b\n"] })).toBe(false);
  expect(given({ logins: ["a"] })).toBe(false);
  expect(given({ login: "a" })).toBe(false);
});

test("the order and the principals follow from the configuration", () => {
  expect([postgresRole.orderOf(pair), postgresRole.orderOf(single)]).toEqual(["overlap", "single-slot"]);
  expect(postgresRole.principalsOf(pair)).toEqual(["orders_owner", "orders_a", "orders_b"]);
  expect(postgresRole.principalsOf(single)).toEqual(["orders"]);
});

test("a version that a person made is known by its login, the owner's too, and by no other", () => {
  const value = (username: string): Value => ({ username });
  expect(postgresRole.handleOf(pair, value("orders_owner"), 1)).toBe("orders_owner/1");
  expect(postgresRole.handleOf(pair, value("orders_a"), 1)).toBe("orders_a/1");
  expect(() => postgresRole.handleOf(pair, value("postgres"), 1)).toThrow(PermanentError);
});

test("invariant 13: a new value is fit, has 256 bits and a URL that any client reads", () => {
  const at = (host: string): ConnectionConfig => connectionSchema.parse({ ...connection, host });
  const odd = 'we"ird; drop';
  const value = newValue(at("db.internal"), { ...pair, port: 6432 }, odd);
  assertFit(value, fields);
  expect(value).toMatchObject({ username: odd, host: "db.internal", port: "6432", database: "orders" });
  const password = revealField(value, "password");
  expect(Buffer.from(password, "base64url")).toHaveLength(32);
  const url = new URL(revealField(value, "url"));
  expect([decodeURIComponent(url.username), url.password, url.host]).toEqual([odd, password, "db.internal:6432"]);
  expect(revealField(newValue(at("::1"), pair, "a"), "url")).toContain("@[::1]:5432/orders");
  expect(revealField(newValue(at("/run/pg"), pair, "a"), "url")).toMatch(/@\/orders\?host=%2Frun%2Fpg&port=5432$/);
  expect(revealField(newValue(at("::1"), pair, "a"), "password")).not.toBe(password);
});

test("every field is declared as it is given", () => {
  const value = newValue(connectionSchema.parse(connection), pair, "orders_a");
  for (const [name, part] of Object.entries(value))
    expect(part instanceof Secret).toBe(fields[name as keyof typeof fields].secret);
});
