import { describe, expect, test } from "vitest";
import type { SeenSession } from "../../contract/issuer.ts";
import { matchesSession, sessionsConfigSchema, strangersAmong, type SessionsConfig } from "./match.ts";

const shop: SessionsConfig = { database: "orders", networks: ["10.1.0.0/16"], instances: 1 };

function session(change: Partial<SeenSession> = {}): SeenSession {
  return {
    principal: "orders_a",
    database: "orders",
    address: "10.1.2.3",
    applicationName: "shop",
    startedAt: "2026-01-02T03:04:05.000000Z",
    ...change,
  };
}

describe("a session matches", () => {
  test.each([
    ["10.1.2.3", true],
    ["10.2.0.1", false],
    ["::ffff:10.1.2.3", true],
    ["::ffff:a01:203", true],
    ["2001:db8::1", false],
    ["local", false],
    ["", false],
  ])("from %j: %s", (address, matches) => {
    expect(matchesSession(shop, session({ address }))).toBe(matches);
  });

  test("only in its own database", () => {
    expect(matchesSession(shop, session({ database: "Orders" }))).toBe(false);
  });

  test("from a Unix socket only where that is registered", () => {
    const onHost = { ...shop, networks: ["local"] };
    expect(matchesSession(onHost, session({ address: "local" }))).toBe(true);
    expect(matchesSession(onHost, session({ address: "127.0.0.1" }))).toBe(false);
    expect(matchesSession({ ...shop, networks: ["0.0.0.0/0", "::/0"] }, session({ address: "local" }))).toBe(false);
  });

  test("in IPv6 networks and in IPv4 ones written as IPv6", () => {
    expect(matchesSession({ ...shop, networks: ["2001:db8::/32"] }, session({ address: "2001:DB8:0::9" }))).toBe(true);
    expect(matchesSession({ ...shop, networks: ["::ffff:10.1.0.0/112"] }, session())).toBe(true);
    expect(matchesSession({ ...shop, networks: ["::ffff:10.1.0.0/112"] }, session({ address: "10.2.0.1" }))).toBe(
      false,
    );
  });

  test("under the registered application name, which narrows and never widens", () => {
    const named = { ...shop, applicationName: "shop" };
    expect(matchesSession(named, session())).toBe(true);
    expect(matchesSession(named, session({ applicationName: "psql" }))).toBe(false);
    expect(matchesSession(named, session({ address: "10.2.0.1" }))).toBe(false);
    expect(matchesSession(named, session({ database: "other" }))).toBe(false);
  });
});

describe("strangers", () => {
  const report: SessionsConfig = {
    database: "orders",
    networks: ["10.9.0.0/24"],
    applicationName: "report",
    instances: 1,
  };

  test("are the sessions that no registered consumer explains", () => {
    const unknown = session({ address: "172.16.0.1" });
    const known = session();
    const byReport = session({ address: "10.9.0.5", applicationName: "report" });
    expect(strangersAmong([known, unknown, byReport], [shop, report])).toEqual([unknown]);
  });

  test("an application name reveals a stranger from a known network", () => {
    const forgotten = session({ address: "10.9.0.5", applicationName: "psql" });
    expect(strangersAmong([forgotten], [report])).toEqual([forgotten]);
  });

  test("an application name excuses nobody from an unknown network or in another database", () => {
    const dressed = session({ address: "203.0.113.7", applicationName: "report" });
    const elsewhere = session({ address: "10.9.0.5", database: "postgres", applicationName: "report" });
    expect(strangersAmong([dressed, elsewhere], [report])).toEqual([dressed, elsewhere]);
  });

  test("invariant 4: a consumer that is removed to open the guard leaves its sessions behind as strangers", () => {
    const left = session();
    expect(strangersAmong([left], [shop, report])).toEqual([]);
    expect(strangersAmong([left], [report])).toEqual([left]);
    expect(strangersAmong([left], [])).toEqual([left]);
  });
});

describe("the configuration", () => {
  test("takes a database and networks, and counts one instance unless told", () => {
    expect(sessionsConfigSchema.parse({ database: "orders", networks: ["10.0.0.0/8", "local"] })).toEqual({
      database: "orders",
      networks: ["10.0.0.0/8", "local"],
      instances: 1,
    });
  });

  test.each([
    ["no network", { networks: [] }],
    ["a host name", { networks: ["app.internal"] }],
    ["a prefix that is too long", { networks: ["10.0.0.0/33"] }],
    ["no instances", { instances: 0 }],
    ["half an instance", { instances: 1.5 }],
    ["no database", { database: "" }],
    ["an unknown key", { network: "10.0.0.0/8" }],
  ])("refuses %s", (_name, change) => {
    expect(sessionsConfigSchema.safeParse({ ...shop, ...change }).success).toBe(false);
  });
});
