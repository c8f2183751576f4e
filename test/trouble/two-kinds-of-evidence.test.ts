import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { EvidenceDefinition } from "../../providers/contract/evidence.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";

/** Kinds of one strength: each says always the same. */
const kinds: Record<string, EvidenceDefinition> = Object.fromEntries(
  Object.entries({ "a-no": false, "b-yes": true, "c-no": false }).map(([kind, complete]) => {
    const lacks = complete ? [] : ["is still on the old version"];
    const collect = async () => Promise.resolve({ complete, instances: complete ? 1 : 0, lacks });
    const definition: EvidenceDefinition = {
      kind,
      title: kind,
      strength: "attested",
      needsChange: true,
      configSchema: z.unknown(),
      collect,
    };
    return [kind, definition];
  }),
);

describe("a consumer with several kinds of evidence of one strength", () => {
  let bench: StepBench;
  beforeAll(async () => {
    bench = await openStepBench();
  });
  afterAll(async () => bench?.close());

  it.each([
    { given: ["a-no"], answer: "wait" },
    { given: ["a-no", "b-yes"], answer: "wait" },
    { given: ["b-yes", "c-no"], answer: "wait" },
    { given: ["b-yes"], answer: "done" },
  ])("invariant 4: $given, whichever was recorded last: $answer", async ({ given, answer }) => {
    const { catalog } = bench.deps;
    const deps = { ...bench.deps, catalog: { ...catalog, collectors: { ...catalog.collectors, ...kinds } } };
    const collectors = Object.fromEntries(given.map((kind) => [kind, {}]));
    const orders = await bench.register({
      policy: { holdAfterMs: 60_000 },
      evidence: { wanted: "attested", collectors },
    });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "delivered");
    expect((await bench.take(rotationId, "adopt", deps)).now).toBe(answer);
    await orders.shop.close();
  });
});
