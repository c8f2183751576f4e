import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EvidenceQuestion, EvidenceVersion } from "../../contract/evidence.ts";
import type { SeenSession, Usage } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { judgeSamples, sessions } from "./definition.ts";
import type { SessionsConfig } from "./match.ts";

const config: SessionsConfig = { database: "orders", networks: ["10.1.0.0/16"], instances: 1 };
const start = Date.parse("2026-01-02T03:00:00Z");
const cut = "2026-01-02T02:59:00.000500Z";

function version(number: number, handle: string): EvidenceVersion {
  const authenticator = new Secret(randomBytes(24).toString("base64url"));
  return { version: number, handle, authenticator, effectiveAt: cut };
}
const old = version(1, "orders_a#1");
const fresh = version(2, "orders_b#2");

function from(address: string, change: Partial<SeenSession> = {}): SeenSession {
  const principal = "orders";
  return { principal, database: "orders", address, applicationName: "shop", startedAt: cut, ...change };
}

type Seen = { readonly old?: readonly SeenSession[]; readonly fresh?: readonly SeenSession[] };

/** One sample every ten seconds. */
function every10s(...seen: readonly Seen[]): Usage[] {
  return seen.map((one, index) => ({
    at: new Date(start + index * 10_000).toISOString(),
    sessions: { [old.handle]: one.old ?? [], [fresh.handle]: one.fresh ?? [] },
  }));
}

function ask(samples: readonly Usage[], change: Partial<EvidenceQuestion<SessionsConfig>> = {}) {
  return judgeSamples({
    config,
    instance: "ins_1",
    consumer: "con_1",
    order: "overlap",
    expected: fresh,
    unwanted: old,
    samples,
    observeForMs: 20_000,
    ...change,
  });
}

const moved: Seen = { fresh: [from("10.1.0.1")] };

test("it is observed evidence that asks no change of the application, and says which sessions are the consumer's", async () => {
  expect(sessions).toMatchObject({ kind: "sessions", strength: "observed", needsChange: false });
  expect(sessions.explains?.(config, from("10.1.0.1"))).toBe(true);
  expect(sessions.explains?.(config, from("10.2.0.1"))).toBe(false);
});

test("complete when nobody was on the old version and the consumer was on the new one, over the whole time", () => {
  expect(ask(every10s(moved, moved, moved))).toEqual({ complete: true, instances: 1, lacks: [] });
});

test("a pool that closes its idle connections has been seen all the same", () => {
  expect(ask(every10s({}, moved, {})).complete).toBe(true);
});

test("too short a time, or one look, is not complete and says how long is missing", () => {
  expect(ask(every10s(moved, moved))).toEqual({
    complete: false,
    instances: 1,
    lacks: ["Sessions have been watched for 10 s in 2 samples; needed: 20 s and two."],
  });
  expect(ask(every10s(moved), { observeForMs: 0 }).complete).toBe(false);
  expect(ask([]).complete).toBe(false);
});

test("a consumer that moved late is judged by what it did since", () => {
  const stayed: Seen = { old: [from("10.1.0.1")] };
  expect(ask(every10s(stayed, stayed, moved, moved)).complete).toBe(false);
  expect(ask(every10s(stayed, stayed, moved, moved, moved)).complete).toBe(true);
});

test("when nothing is unwanted, the new version alone has to be seen", () => {
  expect(ask(every10s(moved, moved, moved), { unwanted: undefined }).complete).toBe(true);
  expect(ask(every10s({}, {}, {}), { unwanted: undefined }).complete).toBe(false);
});

describe("invariant 4: planted consumers", () => {
  test("one that keeps the old version is named with its address", () => {
    const keeps: Seen = { old: [from("10.1.0.1")] };
    expect(ask(every10s(keeps, keeps, keeps))).toEqual({
      complete: false,
      instances: 0,
      lacks: ['Address 10.1.0.1 (application "shop") is still on version 1.', "Seen on version 2: 0 of 1 instances."],
    });
  });

  test("one whose pool holds an old session beside new ones has not moved", () => {
    const both: Seen = { old: [from("10.1.0.1")], fresh: [from("10.1.0.1")] };
    expect(ask(every10s(both, both, both)).lacks).toEqual([
      'Address 10.1.0.1 (application "shop") is still on version 1.',
    ]);
  });

  test("one of three instances that is old is named", () => {
    const two: Seen = { fresh: [from("10.1.0.1"), from("10.1.0.2")], old: [from("10.1.0.3")] };
    expect(ask(every10s(two, two, two), { config: { ...config, instances: 3 } })).toEqual({
      complete: false,
      instances: 2,
      lacks: [
        'Address 10.1.0.3 (application "shop") is still on version 1.',
        "Seen on version 2: 2 of 3 instances (10.1.0.1, 10.1.0.2).",
      ],
    });
  });

  test("one of three instances that shows nothing is missing, not moved", () => {
    const two: Seen = { fresh: [from("10.1.0.1"), from("10.1.0.2"), from("::ffff:10.1.0.2")] };
    const answer = ask(every10s(two, two, two), { config: { ...config, instances: 3 } });
    expect(answer).toMatchObject({ complete: false, instances: 2 });
  });

  test("one that adopts, then goes back during the grace, loses its evidence", () => {
    const back: Seen = { fresh: [from("10.1.0.1")], old: [from("10.1.0.1")] };
    expect(ask(every10s(moved, moved, moved)).complete).toBe(true);
    expect(ask(every10s(moved, moved, moved, back)).lacks).toEqual([
      'Address 10.1.0.1 (application "shop") is still on version 1.',
    ]);
    // A short relapse between two clean samples counts as long as it is in the window.
    const relapse = ask(every10s(moved, moved, back, moved));
    expect(relapse.lacks).toEqual([
      'Address 10.1.0.1 (application "shop") was on version 1 at 2026-01-02T03:00:20.000Z, within the time that must be free of it.',
    ]);
  });

  test("a session of any other origin on the old version blocks too, whatever it calls itself", () => {
    const stranger: Seen = { ...moved, old: [from("203.0.113.9", { database: "postgres", applicationName: "rekey" })] };
    expect(ask(every10s(stranger, stranger, stranger)).complete).toBe(false);
    const bySocket: Seen = { ...moved, old: [from("local")] };
    expect(ask(every10s(moved, bySocket, moved)).complete).toBe(false);
  });

  test("sessions of others on the new version do not stand in for the consumer", () => {
    const others: Seen = { fresh: [from("10.2.0.1"), from("local"), from("10.1.0.1", { database: "other" })] };
    expect(ask(every10s(others, others, others))).toMatchObject({ complete: false, instances: 0 });
    const named = { ...config, applicationName: "worker" };
    expect(ask(every10s(moved, moved, moved), { config: named }).complete).toBe(false);
  });
});

describe("what the issuer left out", () => {
  test("a sample that does not cover the old version is no sign that nobody uses it", () => {
    const samples = every10s(moved, moved, moved);
    const partial = samples.with(1, { at: samples[1]?.at ?? "", sessions: { [fresh.handle]: [from("10.1.0.1")] } });
    expect(ask(partial)).toMatchObject({
      complete: false,
      lacks: ["The issuer's usage at 2026-01-02T03:00:10.000Z does not cover version 1."],
    });
  });

  test("a handle named like a property of every object covers nothing", () => {
    const unwanted = { ...old, handle: "constructor" };
    expect(ask(every10s(moved, moved, moved), { unwanted }).complete).toBe(false);
  });
});

describe("in a single slot, where both versions are one login", () => {
  const shared = (...seen: readonly SeenSession[]) =>
    every10s(...Array.from({ length: 3 }, () => ({ old: seen, fresh: seen })));
  const single = { order: "single-slot" } as const;

  test("sessions begun at or after the cut are on the new version", () => {
    expect(ask(shared(from("10.1.0.1")), single)).toEqual({ complete: true, instances: 1, lacks: [] });
  });

  test("a session begun a microsecond before the cut is on the old one", () => {
    const before = from("10.1.0.1", { startedAt: "2026-01-02T02:59:00.000499Z" });
    expect(ask(shared(before, from("10.1.0.1")), single).lacks).toEqual([
      'Address 10.1.0.1 (application "shop") is still on version 1.',
    ]);
    expect(ask(shared(before), single).instances).toBe(0);
  });

  test("a session whose start cannot be read is on the old one", () => {
    expect(ask(shared(from("10.1.0.1", { startedAt: "" })), single)).toMatchObject({ complete: false, instances: 0 });
  });

  test("a cut whose time cannot be read proves nothing", () => {
    const expected = { ...fresh, effectiveAt: "unknown" };
    expect(ask(shared(from("10.1.0.1")), { ...single, expected }).complete).toBe(false);
  });
});

describe("in the undo of a single slot, where the expected version was in force before the candidate too", () => {
  const [cutAt, backAt] = ["2026-01-02T02:59:00.000Z", "2026-01-02T02:59:30.000Z"];
  const former = { ...old, effectiveAt: backAt };
  const candidate = { ...fresh, effectiveAt: cutAt };
  const back = from("10.1.0.1", { startedAt: backAt });
  const askBack = (seen: readonly SeenSession[], change: Partial<EvidenceQuestion<SessionsConfig>> = {}) =>
    ask(every10s(...Array.from({ length: 3 }, () => ({ old: seen, fresh: seen }))), {
      order: "single-slot",
      expected: former,
      unwanted: candidate,
      ...change,
    });
  const begun = (startedAt: string) => from("10.1.0.2", { startedAt });

  test("a session from before the cut is on the former version, as one from after the return is", () => {
    const before = begun("2026-01-02T02:58:59.999Z");
    expect(askBack([before])).toEqual({ complete: true, instances: 1, lacks: [] });
    expect(askBack([before, back])).toEqual({ complete: true, instances: 2, lacks: [] });
  });

  test.each([cutAt, "2026-01-02T02:59:29.999Z", "", "soon"])("one begun at %j may be on the candidate", (startedAt) => {
    expect(askBack([begun(startedAt), back]).lacks).toEqual([
      'Address 10.1.0.2 (application "shop") is still on version 2.',
    ]);
  });

  test("with a cut of unknown time each session from before the return may be on the candidate", () => {
    const unwanted = { ...candidate, effectiveAt: "" };
    expect(askBack([begun("2020-01-02T03:04:05Z"), back], { unwanted }).complete).toBe(false);
    expect(askBack([back], { unwanted }).complete).toBe(true);
  });

  test.each(["", "2026-01-02T02:00:00Z"])(
    "with a return at %j, which is none, each since the cut may be",
    (effectiveAt) => {
      const expected = { ...former, effectiveAt };
      expect(askBack([back], { expected }).lacks).toContain(
        'Address 10.1.0.1 (application "shop") is still on version 2.',
      );
    },
  );
});

describe("what people read", () => {
  test("foreign text cannot forge a line and is short", () => {
    const rude = from("10.1.0.1\n10.1.0.2", { applicationName: `x\u001b[2J\n${"y".repeat(500)}` });
    const { lacks } = ask(every10s({ old: [rude] }, { old: [rude] }, { old: [rude] }));
    expect(lacks[0]).toMatch(
      /^Address 10\.1\.0\.1\?10\.1\.0\.2 \(application "x\?\[2J\?y+\.\.\."\) is still on version 1\.$/,
    );
    for (const lack of lacks) expect(lack.length).toBeLessThan(200);
  });

  test("many addresses are counted, not listed", () => {
    const many = Array.from({ length: 40 }, (_, index) => from(`10.1.1.${index}`));
    const { lacks } = ask(every10s({ old: many }, { old: many }, { old: many }));
    expect(lacks).toHaveLength(7);
    expect(lacks[5]).toBe("And so with 35 more addresses.");
    const fewer = ask(every10s({ fresh: many }, { fresh: many }, { fresh: many }), {
      config: { ...config, instances: 50 },
    });
    expect(fewer.lacks).toEqual([
      "Seen on version 2: 40 of 50 instances (10.1.1.0, 10.1.1.1, 10.1.1.2, 10.1.1.3, 10.1.1.4 and 35 more).",
    ]);
  });
});

test("no sample with an old session inside the window is ever complete, and lacks are empty exactly when complete", () => {
  const anySeen = fc.record({
    old: fc.array(
      fc.ipV4().map((address) => from(address)),
      { maxLength: 1 },
    ),
    fresh: fc.array(
      fc.constantFrom("10.1.0.1", "10.1.0.2", "10.9.0.1").map((address) => from(address)),
      { maxLength: 3 },
    ),
  });
  fc.assert(
    fc.property(fc.array(anySeen, { maxLength: 6 }), fc.integer({ min: 1, max: 3 }), (seen, instances) => {
      const answer = ask(every10s(...seen), { config: { ...config, instances } });
      expect(answer.complete).toBe(answer.lacks.length === 0);
      const last = seen.slice(-3);
      const addresses = new Set(last.flatMap((one) => one.fresh.map(({ address }) => address)));
      addresses.delete("10.9.0.1");
      const right = last.length === 3 && last.every((one) => one.old.length === 0) && addresses.size >= instances;
      expect(answer.complete).toBe(right);
    }),
  );
});
