import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addMintedKinds } from "../harness/minting/issuer.ts";
import { isMint, registerMinted, type MintedRegistered } from "../harness/minting/registered.ts";
import { say, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, type World } from "../harness/world.ts";

/** In the order in which an attempt comes by; `keep` is where custody gets the value. */
const points = ["issue:B2", "keep:call", "issue:B3"];
const undone = ["issue:B2", "keep:call", "undo-abandon:B2"];

describe.runIf(hasTemporal)("a rotation of what the issuer mints, whose worker is killed", { timeout: 240_000 }, () => {
  let world: World;
  const made: MintedRegistered[] = [];

  beforeAll(async () => {
    addMintedKinds();
    world = await openWorld();
  });

  afterAll(async () => {
    for (const each of made) each.close();
    await world?.close();
  });

  async function registered(): Promise<MintedRegistered> {
    const helper = await world.startWorker();
    const orders = await registerMinted(world);
    made.push(orders);
    await helper.stop();
    return orders;
  }

  async function killedAt(point: string): Promise<void> {
    const worker = await world.startWorker({ REKEY_FAILPOINT: point });
    expect(await worker.ended).toBe("SIGKILL");
  }

  async function expectOneKey(orders: MintedRegistered) {
    expect(orders.issuer.keys()).toEqual(await orders.ledgerKeys());
    expect(orders.issuer.keys()).toEqual([orders.keyInUse()]);
    expect(orders.logsIn()).toBe("ok");
  }

  it.each(points)("invariant 3: at %s, goes on to one key, which the ledger knows", async (point) => {
    const orders = await registered();
    const rotationId = await orders.rotate();
    await killedAt(point);
    const worker = await world.startWorker();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    await worker.stop();
    await expectOneKey(orders);
    expect(orders.keyInUse()).not.toBe(orders.firstKey);
    // Only a key whose value died with its worker is made again.
    const minted = orders.proxy.calls.filter((call) => isMint(call) && call.applied > 0).length;
    expect(minted).toBe(["issue:B2", "keep:call"].includes(point) ? 2 : 1);
  });

  it.each(undone)("invariant 3: at %s, is undone to the key that was there", async (point) => {
    const orders = await registered();
    const rotationId = await orders.rotate();
    await killedAt(point.startsWith("undo") ? "deliver:B0" : point);
    await say(world, rotationId, { kind: "abort" });
    if (point.startsWith("undo")) await killedAt(point);
    const worker = await world.startWorker();
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "undone" });
    await worker.stop();
    await expectOneKey(orders);
    expect(orders.keyInUse()).toBe(orders.firstKey);
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([
      { number: 1, state: "live", kept: true },
      { number: 2, state: "proven-dead", kept: false },
    ]);
  });

  it("an answer of the issuer that is lost costs an attempt and no key", async () => {
    const orders = await registered();
    void orders.proxy.meet(isMint, { do: "lose-answer" }, 2);
    const worker = await world.startWorker();
    expect(await untilClosed(world, await orders.rotate())).toMatchObject({ outcome: "proven" });
    await worker.stop();
    await expectOneKey(orders);
    expect(orders.proxy.calls.filter(isMint)).toHaveLength(3);
  });
});
