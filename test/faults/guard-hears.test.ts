import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { guard } from "../../activities/guard.ts";
import type { StepScene } from "../../activities/step-frame.ts";
import type { Registered } from "../harness/registered.ts";
import { say } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

const disabledForMs = 1_000;

describe("the guard's last round", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  /** An attempt whose verdict will be clear and which may cross. It has begun and has not asked anybody yet. */
  async function aboutToCross(rotationId: string): Promise<StepScene> {
    await bench.reach(rotationId, "disabled");
    for (;;) {
      const scene = await bench.begin(rotationId, "guard");
      if (scene.one.inPhaseMs > disabledForMs) return scene;
      expect(await guard(scene)).toMatchObject({ does: "wait" });
      await pause(scene.one.policy.lookEveryMs);
    }
  }

  async function started(): Promise<{ readonly orders: Registered; readonly rotationId: string }> {
    const orders = await bench.register({ policy: { disabledForMs } });
    return { orders, rotationId: await orders.rotate() };
  }

  it("invariant 9: hears an abort that is given meanwhile, and the old version comes back", async () => {
    const { orders, rotationId } = await started();
    const asking = await aboutToCross(rotationId);
    await say(bench, rotationId, { kind: "abort" });
    expect(await guard(asking)).toEqual({ does: "wait", waitMs: 0 });
    expect(await readRotation(bench, rotationId)).toMatchObject({ phase: "disabled" });
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await bench.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 9: hears a pause that is given meanwhile, and crosses once it is resumed", async () => {
    const { orders, rotationId } = await started();
    const asking = await aboutToCross(rotationId);
    await say(bench, rotationId, { kind: "pause" });
    expect(await guard(asking)).toEqual({ does: "wait", waitMs: 0 });
    expect(await bench.take(rotationId, "guard")).toMatchObject({ now: "wait" });
    expect(await readRotation(bench, rotationId)).toMatchObject({ phase: "disabled" });
    await say(bench, rotationId, { kind: "resume" });
    expect(await guard(await bench.begin(rotationId, "guard"))).toEqual({ does: "answer", answer: { now: "done" } });
    expect(await readRotation(bench, rotationId)).toMatchObject({ phase: "revoking" });
    await orders.shop.close();
  });

  it("invariant 7: an attempt that was delayed does not cross, the newer one does", async () => {
    const { orders, rotationId } = await started();
    const late = await aboutToCross(rotationId);
    const newer = await bench.begin(rotationId, "guard");
    expect(await guard(late)).toEqual({ does: "wait", waitMs: 0 });
    expect(await readRotation(bench, rotationId)).toMatchObject({ phase: "disabled" });
    expect(await guard(newer)).toEqual({ does: "answer", answer: { now: "done" } });
    expect(await readRotation(bench, rotationId)).toMatchObject({ phase: "revoking" });
    await orders.shop.close();
  });
});
