import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { strengths } from "./evidence.ts";
import { guardVerdict, type GuardConsumer, type GuardEvidence, type GuardInput } from "./guard.ts";

const evidence: GuardEvidence = {
  strength: "observed",
  sequence: 11,
  complete: true,
  handleVersion: 2,
};
const moved: GuardConsumer = {
  consumerId: "con_a",
  name: "shop",
  deliveredAt: 10,
  evidence,
  wanted: "observed",
  healthy: true,
};
const clean: GuardInput = {
  purpose: "revoke",
  consumers: [moved],
  expectedVersion: 2,
  strangers: [],
  oldSessions: 0,
  usageKnown: true,
  windowOpen: true,
  acceptedGaps: [],
};
const stranger = { principal: "app_a", address: "10.0.0.9", applicationName: "psql" };

function keysOf(input: Partial<GuardInput>): string[] {
  return guardVerdict({ ...clean, ...input }).gaps.map((gap) => gap.key);
}

function textOf(consumer: Partial<GuardConsumer>): string | undefined {
  return guardVerdict({ ...clean, consumers: [{ ...moved, ...consumer }] }).gaps[0]?.text;
}

describe("invariant 4: proof before revocation", () => {
  test("it is clear when each consumer has shown the version and nobody is on the old one", () => {
    expect(guardVerdict(clean)).toEqual({
      clear: true,
      gaps: [],
      accepted: [],
      awaitsWindow: false,
    });
  });

  test("a consumer whose evidence does not suffice is a gap that says why", () => {
    expect(textOf({ deliveredAt: undefined })).toBe("Consumer shop: version 2 was never delivered to it.");
    expect(textOf({ evidence: undefined })).toBe("Consumer shop: no evidence yet; its policy asks for observed.");
    expect(textOf({ evidence: { ...evidence, handleVersion: 1 } })).toBe(
      "Consumer shop: the evidence shows version 1, not version 2.",
    );
    expect(textOf({ evidence: { ...evidence, handleVersion: 3 } })).toContain("version 3, not");
    const older = "Consumer shop: the evidence is older than its last delivery.";
    expect(textOf({ evidence: { ...evidence, sequence: 10 } })).toBe(older);
    expect(textOf({ evidence: { ...evidence, sequence: 3 } })).toBe(older);
    expect(textOf({ evidence: { ...evidence, complete: false } })).toBe(
      "Consumer shop: not every instance has shown the version, or one showed another.",
    );
    expect(textOf({ evidence: { ...evidence, complete: false, lacks: ["a is old.", "b is old."] } })).toBe(
      "Consumer shop: a is old. b is old.",
    );
    expect(textOf({ wanted: "attested" })).toBe(
      "Consumer shop: the evidence is observed; its policy asks for attested.",
    );
    expect(textOf({ healthy: false })).toBe("Consumer shop is not healthy. Look at it before the version is ended.");
  });

  test("each consumer is judged for itself and named by its id", () => {
    const late = { ...moved, consumerId: "con_b", name: "late", deliveredAt: undefined };
    const ill = { ...moved, consumerId: "con_c", name: "ill", evidence: undefined, healthy: false };
    const verdict = guardVerdict({ ...clean, consumers: [moved, late, ill] });
    expect(verdict.clear).toBe(false);
    expect(verdict.gaps.map(({ code, key }) => [code, key])).toEqual([
      ["evidence_missing", "evidence_missing:con_b"],
      ["evidence_missing", "evidence_missing:con_c"],
      ["consumer_unhealthy", "consumer_unhealthy:con_c"],
    ]);
  });

  test("no registered consumer is a gap, because nobody can be asked", () => {
    const { clear, gaps } = guardVerdict({ ...clean, consumers: [] });
    expect(clear).toBe(false);
    expect(gaps.map(({ code, key }) => [code, key])).toEqual([["no_consumers", "no_consumers"]]);
    expect(gaps[0]?.text).toContain("No consumer is registered");
  });

  test("an undo that touched nobody has nobody to ask", () => {
    expect(guardVerdict({ ...clean, purpose: "abandon", consumers: [] }).clear).toBe(true);
  });

  test("use of the version that is to end is a gap, mirrored for the candidate", () => {
    const used = { ...clean, oldSessions: 3, usageKnown: false };
    expect(guardVerdict(used).gaps).toEqual([
      {
        code: "still_in_use",
        key: "still_in_use:sessions",
        text: "Sessions open on the old version: 3.",
      },
      {
        code: "still_in_use",
        key: "still_in_use:unknown",
        text: "The issuer could not say whether the old version is in use. Retry when it can.",
      },
    ]);
    expect(guardVerdict({ ...used, purpose: "abandon" }).gaps).toEqual([
      {
        code: "candidate_in_use",
        key: "candidate_in_use:sessions",
        text: "Sessions open on the candidate: 3.",
      },
      {
        code: "candidate_in_use",
        key: "candidate_in_use:unknown",
        text: "The issuer could not say whether the candidate is in use. Retry when it can.",
      },
    ]);
  });

  const use = { at: "2026-01-02T03:00:00Z", by: "service s3", agoMs: 0, movedAgoMs: 0, grainMs: 900_000, lateByMs: 0 };

  test.each([
    ["after everybody had moved", { agoMs: 99_000, movedAgoMs: 1_000_000 }, ["still_in_use:last-use"]],
    ["at a time that says nothing", { agoMs: Number.NaN, movedAgoMs: 1_000_000 }, ["still_in_use:last-use"]],
    ["after it by the grain", { agoMs: 100_000, movedAgoMs: 1_000_000 }, []],
    ["before everybody had moved", { agoMs: 1_000_001, movedAgoMs: 1_000_000 }, []],
  ])("a last use %s", (_when, times, keys) => {
    expect(keysOf({ lastUse: { ...use, ...times } })).toEqual(keys);
  });

  test("a last use is named with its time and place, and when a later one is told at the latest", () => {
    const lastUse = { ...use, movedAgoMs: 1_000_000, lateByMs: 14_400_000 };
    const [gap] = guardVerdict({ ...clean, lastUse }).gaps;
    expect(gap?.text).toContain("The old version was last used at 2026-01-02T03:00:00Z by service s3, after every");
    expect(gap?.text).toContain("up to 270 min later");
    const candidate = guardVerdict({ ...clean, purpose: "abandon", lastUse }).gaps;
    expect(candidate).toMatchObject([{ code: "candidate_in_use", key: "candidate_in_use:last-use" }]);
    expect(candidate[0]?.text).toContain("The candidate was last used");
  });

  test("a number of sessions that cannot be is not taken for none", () => {
    const [named] = guardVerdict({ ...clean, oldSessions: 3, oldUsers: ["shop", "ledger"] }).gaps;
    expect(named?.text).toBe("Sessions open on the old version: 3. Some match consumer shop, ledger.");
    expect(keysOf({ oldSessions: -1 })).toEqual(["still_in_use:sessions"]);
    expect(keysOf({ oldSessions: Number.NaN })).toEqual(["still_in_use:sessions"]);
  });
});

describe("strangers", () => {
  test("each is a gap of its own, once", () => {
    const other = { ...stranger, address: "10.0.0.10" };
    const { gaps } = guardVerdict({ ...clean, strangers: [stranger, stranger, other] });
    expect(gaps.map((gap) => gap.key)).toEqual([
      "stranger_seen:app_a/10.0.0.9/psql",
      "stranger_seen:app_a/10.0.0.10/psql",
    ]);
    expect(gaps[0]).toMatchObject({
      code: "stranger_seen",
      text: 'app_a from 10.0.0.9 (application "psql") is no registered consumer. Register it or end it.',
    });
  });

  test("one that is proposed to be registered is told with the command that shows it, and is the same gap", () => {
    const { gaps } = guardVerdict({ ...clean, strangers: [{ ...stranger, proposal: "prp_x" }] });
    expect(gaps.map(({ key }) => key)).toEqual(keysOf({ strangers: [stranger] }));
    expect(gaps[0]?.text).toContain("Register it or end it: rekey consumer proposals show prp_x");
  });

  test("the application name, which the client chooses, forges neither a key nor a line", () => {
    const forged = { ...stranger, applicationName: "a/b\n\u001b[2Jünïcode\ud800" };
    const { gaps } = guardVerdict({
      ...clean,
      strangers: [forged, { ...stranger, applicationName: "x".repeat(500) }],
    });
    expect(gaps[0]?.key).toMatch(/^stranger_seen:app_a\/10\.0\.0\.9\/[^/\s]+$/);
    expect(gaps[0]?.text).toContain('"a/b??[2J?n?code?"');
    expect(gaps[1]?.text).toContain(`"${"x".repeat(60)}..."`);
  });

  test("accepting one stranger does not accept another", () => {
    const acceptedGaps = keysOf({ strangers: [stranger] });
    const other = { ...stranger, applicationName: "pg_dump" };
    expect(keysOf({ strangers: [stranger, other], acceptedGaps })).toEqual(["stranger_seen:app_a/10.0.0.9/pg_dump"]);
  });
});

describe("windows and decisions", () => {
  test("a shut window keeps it from being clear and asks nobody", () => {
    expect(guardVerdict({ ...clean, windowOpen: false })).toEqual({
      clear: false,
      gaps: [],
      accepted: [],
      awaitsWindow: true,
    });
  });

  test("a gap that a person accepted by name is recorded and no longer stands in the way", () => {
    const consumers = [{ ...moved, evidence: undefined }];
    const verdict = guardVerdict({ ...clean, consumers, acceptedGaps: ["evidence_missing:con_a"] });
    expect(verdict.clear).toBe(true);
    expect(verdict.gaps).toEqual([]);
    expect(verdict.accepted.map((gap) => gap.key)).toEqual(["evidence_missing:con_a"]);
    expect(keysOf({ consumers, acceptedGaps: ["evidence_missing:con_b", "evidence_missing"] })).toHaveLength(1);
  });
});

const anyConsumer: fc.Arbitrary<GuardConsumer> = fc.record({
  consumerId: fc.constantFrom("con_a", "con_b", "con_c"),
  name: fc.string(),
  deliveredAt: fc.option(fc.nat(20), { nil: undefined }),
  evidence: fc.option(
    fc.record({
      strength: fc.constantFrom(...strengths),
      sequence: fc.nat(20),
      complete: fc.boolean(),
      handleVersion: fc.integer({ min: 1, max: 2 }),
    }),
    { nil: undefined },
  ),
  wanted: fc.constantFrom(...strengths),
  healthy: fc.boolean(),
});
const gapKeys = ["no_consumers", "evidence_missing:con_a", "consumer_unhealthy:con_b", "still_in_use:sessions"];
const anyInput: fc.Arbitrary<GuardInput> = fc.record({
  purpose: fc.constantFrom("revoke", "abandon"),
  consumers: fc.array(anyConsumer, { maxLength: 3 }),
  expectedVersion: fc.constant(2),
  strangers: fc.array(
    fc.record({
      principal: fc.string(),
      address: fc.string(),
      applicationName: fc.string({ unit: "binary" }),
    }),
    { maxLength: 1 },
  ),
  oldSessions: fc.nat(1),
  usageKnown: fc.boolean(),
  windowOpen: fc.boolean(),
  acceptedGaps: fc.subarray(gapKeys),
});

describe("whatever the input", () => {
  test("it is clear exactly when there is no gap and the window is open", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const verdict = guardVerdict(input);
        expect(verdict.clear).toBe(verdict.gaps.length === 0 && input.windowOpen);
        const keys = [...verdict.gaps, ...verdict.accepted].map((gap) => gap.key);
        expect(new Set(keys).size).toBe(keys.length);
      }),
    );
  });

  test("evidence that suffices for everybody never makes a clear verdict unclear", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const consumers = input.consumers.map((consumer) => ({
          ...consumer,
          deliveredAt: consumer.deliveredAt ?? 0,
          evidence: {
            strength: "attested",
            sequence: 99,
            complete: true,
            handleVersion: 2,
          } as const,
        }));
        const before = guardVerdict(input);
        const after = guardVerdict({ ...input, consumers });
        expect(after.gaps.length).toBeLessThanOrEqual(before.gaps.length);
        expect(after.gaps.some((gap) => gap.code === "evidence_missing")).toBe(false);
        if (before.clear) expect(after.clear).toBe(true);
      }),
    );
  });

  test("another consumer, stranger or session never makes an unclear verdict clear", () => {
    fc.assert(
      fc.property(anyInput, anyConsumer, (input, late) => {
        fc.pre(input.consumers.length > 0 && !guardVerdict(input).clear);
        for (const worse of [
          { ...input, consumers: [...input.consumers, late] },
          { ...input, strangers: [...input.strangers, stranger] },
          { ...input, oldSessions: input.oldSessions + 1 },
        ]) {
          expect(guardVerdict(worse).clear).toBe(false);
        }
      }),
    );
  });

  test("accepting more never opens a gap, and accepting every gap leaves only the window", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const acceptedGaps = guardVerdict({ ...input, acceptedGaps: [] }).gaps.map((gap) => gap.key);
        expect(guardVerdict({ ...input, acceptedGaps }).gaps).toEqual([]);
        expect(guardVerdict(input).gaps.length).toBeLessThanOrEqual(acceptedGaps.length);
      }),
    );
  });
});
