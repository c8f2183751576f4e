import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deliver } from "../../activities/deliver.ts";
import type { StepScene } from "../../activities/step-frame.ts";
import type { Registered } from "../harness/registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { carryAll, declare, loginsOf, troubles } from "./scene.ts";
import { addShop, type SecondShop } from "./second-shop.ts";

let bench: StepBench;

beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(async () => bench?.close());

interface UnderWay {
  readonly orders: Registered;
  readonly second: SecondShop;
  /** An attempt at bringing version 2 to both, which has read what it goes by. */
  readonly scene: StepScene;
}

async function underWay(): Promise<UnderWay> {
  const orders = await bench.register({ policy: { holdAfterMs: 300_000 } });
  const second = await addShop(bench, orders);
  const rotationId = await orders.rotate();
  await bench.reach(rotationId, "issued");
  return { orders, second, scene: await bench.begin(rotationId, "deliver") };
}

/** The attempt, as far as it goes to these consumers. */
const bring = async (scene: StepScene, ...consumerIds: readonly string[]) =>
  deliver({
    ...scene,
    one: { ...scene.one, consumers: scene.one.consumers.filter(({ consumerId }) => consumerIds.includes(consumerId)) },
  });

describe("an emergency that is declared while a delivery is under way", () => {
  it("keeps a version that has leaked from whoever has not got it yet", async () => {
    const { orders, second, scene } = await underWay();
    const logins = await loginsOf(bench, orders);
    const before = await readFile(second.file, "utf8");
    await bring(scene, orders.consumerId);
    const declared = await declare(bench, orders.credentialId, { versions: [1, 2] });
    expect(declared.how).toBe("successor");
    await expect(bring(scene, second.consumerId)).rejects.toMatchObject({ code: "claim_outdated" });
    expect(await readFile(second.file, "utf8")).toBe(before);
    await carryAll(bench, orders.credentialId);
    expect(await troubles(bench, orders, logins, [1, 2])).toEqual([]);
    await Promise.all([orders.shop.close(), second.shop.close()]);
  });

  it("keeps the clean version from a suspect, and brings it to the others", async () => {
    const { orders, second, scene } = await underWay();
    const logins = await loginsOf(bench, orders);
    const before = await readFile(second.file, "utf8");
    const asked = { versions: [1], suspects: [second.consumerId], deadlineMs: 300_000 };
    expect((await declare(bench, orders.credentialId, asked)).how).toBe("upgrade");
    await expect(bring(scene, second.consumerId)).rejects.toMatchObject({ code: "claim_outdated" });
    second.shop.isStubborn = true;
    await carryAll(bench, orders.credentialId);
    expect(await readFile(second.file, "utf8")).toBe(before);
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    await Promise.all([orders.shop.close(), second.shop.close()]);
  });
});
