import { createSecretKey, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKeyRing, type NamedKey } from "../custody/key-file.ts";
import { createObservationKeys } from "../custody/observation-keys.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import type { Registered } from "../test/harness/registered.ts";
import { say } from "../test/harness/say.ts";
import { openStepBench, type StepBench } from "../test/harness/step-bench.ts";
import { expectedContent } from "./deliver-to.ts";
import { withConsumer } from "./reach-consumer.ts";
import type { StepDeps } from "./step-deps.ts";
import { contextFor } from "./step-frame.ts";

const newKey = (id: string): NamedKey => ({ id, key: createSecretKey(randomBytes(32)) });
const [old, added] = [newKey("key_old"), newKey("key_added")];

describe("what was last put at a target, recorded under an older key", () => {
  let bench: StepBench;
  let orders: Registered;
  let one: RotationCase;

  const under = (...keys: readonly NamedKey[]): StepDeps => ({
    ...bench.deps,
    observationKeys: createObservationKeys(createKeyRing(keys)),
  });

  beforeAll(async () => {
    bench = await openStepBench();
    orders = await bench.register();
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "issued");
    await bench.take(rotationId, "deliver", under(old));
    one = await bench.read(rotationId);
  });

  afterAll(async () => {
    await orders?.shop.close();
    await bench?.close();
  });

  /** Asks as a rotation would that knows no version to compare with: only the digest can say whose the content is. */
  async function ask(deps: StepDeps): Promise<unknown> {
    const [consumer] = one.consumers;
    if (consumer === undefined) throw new Error("no consumer");
    const context = contextFor(deps, new AbortController().signal);
    const blind = { ...one, from: undefined, to: { ...one.to, handle: undefined } };
    const scene = { deps, one: blind, context };
    return withConsumer(scene, consumer, async (session) => expectedContent(scene, consumer, session));
  }

  it("is known again once a newer key was added, and while there was none", async () => {
    expect(one.consumers[0]?.heldDigest).toMatch(/^key_old:./);
    await expect(ask(under(old))).resolves.toMatchObject({ number: 1 });
    await expect(ask(under(old, added))).resolves.toMatchObject({ number: 1 });
  });

  it("is compared with the content as it is: what somebody else put there is drift under either key", async () => {
    const before = await readFile(orders.file, "utf8");
    await writeFile(orders.file, before.replace(/^(DB_PASSWORD=).*$/m, "$1somebody-elses-value-0123456789"));
    await expect(ask(under(old))).rejects.toMatchObject({ code: "target_drift" });
    await expect(ask(under(old, added))).rejects.toMatchObject({ code: "target_drift" });
    await writeFile(orders.file, before);
  });

  it("is not taken for ours when its key is not held any more", async () => {
    await expect(ask(under(added))).rejects.toMatchObject({ code: "target_drift" });
  });

  it("is filed under the newest key with the next delivery", async () => {
    await say(bench, one.rotationId, { kind: "abort" });
    while ((await bench.read(one.rotationId)).phase !== "closed")
      await bench.take(one.rotationId, "undo", under(old, added));
    const [consumer] = (await bench.read(one.rotationId)).consumers;
    expect(consumer).toMatchObject({ heldVersion: 1, heldDigest: expect.stringMatching(/^key_added:./) });
  });
});
