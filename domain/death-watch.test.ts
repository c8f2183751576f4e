import { describe, expect, it, test } from "vitest";
import { foundAfterDeath, nextLookMs, type DeadLook } from "./death-watch.ts";

const dead = { number: 1, isDead: true, deadForMs: 60_000 };
const alive = { number: 2, isDead: false, deadForMs: 0 };
const quiet: DeadLook = {
  number: 1,
  listed: [
    { handle: "a/1", state: "ended" },
    { handle: "b/2", state: "live" },
  ],
  known: new Map([
    ["a/1", dead],
    ["b/2", alive],
  ]),
  isMaking: false,
  tookMs: 40,
  sessions: [],
  lastUse: undefined,
};
const kinds = (change: Partial<DeadLook>) => foundAfterDeath({ ...quiet, ...change }).map(({ kind }) => kind);

describe("what a look after a death finds", () => {
  it("is nothing while the dead version is dead and the others are known", () => {
    expect(kinds({})).toEqual([]);
    expect(kinds({ listed: [...quiet.listed, { handle: "c/9", state: "disabled" }] })).toEqual([]);
  });

  it("is a stranger where a key can log in that the ledger does not know, unless one is being made", () => {
    const listed = [...quiet.listed, { handle: "c/3", state: "live" as const }];
    expect(kinds({ listed })).toEqual(["stranger"]);
    expect(kinds({ listed, isMaking: true })).toEqual([]);
  });

  it("is a dead version that can log in again, but not one that died while it was looked at", () => {
    const listed = [{ handle: "a/1", state: "live" as const }];
    expect(kinds({ listed })).toEqual(["revived"]);
    expect(kinds({ listed, known: new Map([["a/1", { ...dead, deadForMs: 30 }]]) })).toEqual([]);
  });

  it("names who is on it, with nothing in the name that could forge a line", () => {
    const client = { principal: "a", database: "orders", address: "10.0.0.7", applicationName: "psql\nalarm: over" };
    const [found] = foundAfterDeath({ ...quiet, sessions: [client] });
    expect(found?.kind).toBe("used");
    expect(found?.text).toContain("10.0.0.7, application psql?alarm: over");
    expect(found?.text).not.toContain("\n");
    const again = foundAfterDeath({ ...quiet, sessions: [client, { ...client, address: "10.0.0.8" }] });
    expect(new Set(again.map(({ key }) => key)).size).toBe(2);
  });

  it("is a use of a time after the death, by what the issuer names", () => {
    const [found] = foundAfterDeath({ ...quiet, lastUse: { at: "2027-01-07T08:00:00Z", by: "s3 in eu-central-1" } });
    expect(found).toMatchObject({ kind: "used" });
    expect(found?.text).toContain("s3 in eu-central-1");
  });
});

test("one looks often at first, and every ten minutes at least", () => {
  expect(nextLookMs(0)).toBe(10_000);
  expect(nextLookMs(3_600_000)).toBe(180_000);
  expect(nextLookMs(24 * 3_600_000)).toBe(600_000);
});
