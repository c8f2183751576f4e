import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formerOf, refOf } from "../../activities/reach.ts";
import type { Phase } from "../../domain/order.ts";
import type { Registered } from "../harness/registered.ts";
import { say, versionsOf } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("a former version whose value custody has lost", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  async function losing(phase: Phase) {
    const orders = await bench.register({ policy: { holdAfterMs: 600, attempts: 2 } });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, phase);
    const one = await bench.read(rotationId);
    await bench.custody.forget(refOf(one, formerOf(one)));
    return { orders, rotationId };
  }

  const formerLogin = async (orders: Registered) =>
    bench.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database);

  it("invariant 5: cannot be proven dead: a person accepts that, and the rotation closes as unproven", async () => {
    const { orders, rotationId } = await losing("revoked");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({
      phase: "revoked",
      hold: { code: "custody_missing" },
    });
    await bench.answer(rotationId, "accept");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "closed-unproven" });
    expect(await versionsOf(bench, orders.credentialId)).toMatchObject([
      { state: "accepted-unproven" },
      { state: "live", kept: true },
    ]);
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 10: is let in again by the undo, which a person can bring to its end", async () => {
    const { orders, rotationId } = await losing("disabled");
    expect(await formerLogin(orders)).not.toBe("accepted");
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    expect(await formerLogin(orders)).toBe("accepted");
    const codes: string[] = [];
    for (let asked = 0; asked < 6 && (await readRotation(bench, rotationId)).outcome === null; asked += 1) {
      codes.push((await bench.answer(rotationId, "accept")).code);
      await bench.carry(rotationId);
    }
    expect(codes).toEqual(["restore_failed", "evidence_missing"]);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await versionsOf(bench, orders.credentialId)).toMatchObject([{ state: "live" }, { state: "proven-dead" }]);
    expect(await formerLogin(orders)).toBe("accepted");
    await orders.shop.close();
  });
});
