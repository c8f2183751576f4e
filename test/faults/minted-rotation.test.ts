import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openMintedBench, type MintedBench } from "../harness/minting/bench.ts";
import { versionsOf } from "../harness/say.ts";
import { readRotation } from "../harness/world.ts";

describe("a rotation of what the issuer mints", () => {
  let bench: MintedBench;

  beforeAll(async () => {
    bench = await openMintedBench();
  });

  afterAll(async () => bench?.close());

  it("ends proven, and its issuer has the one key that the ledger says", async () => {
    const orders = await bench.register();
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "proven", hold: null });
    expect(orders.issuer.keys()).toEqual(await orders.ledgerKeys());
    expect(orders.issuer.keys()).toEqual([orders.keyInUse()]);
    expect(orders.keyInUse()).not.toBe(orders.firstKey);
    expect(orders.logsIn()).toBe("ok");
    expect(await versionsOf(bench, orders.credentialId)).toMatchObject([
      { number: 1, state: "proven-dead", kept: false },
      { number: 2, state: "live", kept: true },
    ]);
  });
});
