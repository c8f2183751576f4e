import { Client, Connection } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, auditActions, say, untilPhase } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, readRotation, untilClosed, untilHeld, untilLedger, type World } from "../harness/world.ts";

/** Shorter than the product's, so that a test need not wait a minute and a half. */
const silentMs = 2_000;

describe.runIf(hasTemporal)("a carrier that is taken away", () => {
  let world: World;
  let connection: Connection;
  let client: Client;

  beforeAll(async () => {
    world = await openWorld();
    await world.startWorker({ WORLD_SILENT_MS: String(silentMs) });
    connection = await Connection.connect({ address: world.temporalAddress });
    client = new Client({ connection });
  });

  afterAll(async () => {
    await connection?.close();
    await world?.close();
  });

  const carrierOf = (rotationId: string) => client.workflow.getHandle(`rotate/${rotationId}`);

  async function terminate(rotationId: string): Promise<void> {
    await carrierOf(rotationId).terminate("by hand");
    expect((await carrierOf(rotationId).describe()).status.name).toBe("TERMINATED");
  }

  async function endsProven(orders: Registered, rotationId: string): Promise<void> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect((await orders.shop.close()).failures).toEqual([]);
  }

  it.each(["delivered", "promoted", "disabled"])(
    "invariant 9: a workflow that somebody terminates when it is %s is started again, and nobody is asked",
    async (phase) => {
      const orders = await register(world, { policy: { graceMs: 1_500, disabledForMs: 1_500, holdAfterMs: 20_000 } });
      orders.shop.isStubborn = phase === "delivered";
      const rotationId = await orders.rotate();
      await untilPhase(world, rotationId, phase);
      const { runId: former } = await carrierOf(rotationId).describe();
      await terminate(rotationId);
      orders.shop.isStubborn = false;
      await endsProven(orders, rotationId);
      expect((await carrierOf(rotationId).describe()).runId).not.toBe(former);
      expect(await auditActions(world, rotationId)).not.toContain("hold.opened");
    },
  );

  it("invariant 9: an answer to a hold is heard although the workflow was terminated meanwhile", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 300 } });
    orders.shop.isStubborn = true;
    const rotationId = await orders.rotate();
    await untilHeld(world, rotationId);
    await terminate(rotationId);
    orders.shop.isStubborn = false;
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 9: an undo whose workflow is terminated again and again still ends", async () => {
    const orders = await register(world, { policy: { graceMs: 60_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await say(world, rotationId, { kind: "abort" });
    for (let times = 0; times < 3; times += 1) {
      await untilLedger(async () => {
        const { direction, outcome } = await readRotation(world, rotationId);
        return direction === "undo" || outcome !== null ? true : undefined;
      });
      await carrierOf(rotationId)
        .terminate("by hand")
        .catch(() => undefined);
    }
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("accepted");
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
