import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { issue } from "../../activities/issue.ts";
import type { StepDeps } from "../../activities/step-deps.ts";
import { openMintedBench, type MintedBench } from "../harness/minting/bench.ts";
import { isMint, type MintedRegistered, type RegisterMintedOptions } from "../harness/minting/registered.ts";
import { say, versionsOf } from "../harness/say.ts";
import { readRotation } from "../harness/world.ts";

/** Where an attempt dies, as something that ends it there and leaves no trace in the ledger. */
interface Death {
  readonly deps?: (deps: StepDeps) => StepDeps;
  readonly meets?: (orders: MintedRegistered) => void;
}

const dies = (): never => {
  throw new Error("the power is cut");
};

const deaths: Readonly<Record<string, Death>> = {
  "before it acts": { meets: (orders) => void orders.proxy.meet(isMint, { do: "cut-request", after: 0 }) },
  "while its answer is on its way": { meets: (orders) => void orders.proxy.meet(isMint, { do: "lose-answer" }) },
  "with the key in its hands": { deps: (deps) => ({ ...deps, fingerprints: { ...deps.fingerprints, of: dies } }) },
  "before custody has the value": {
    deps: (deps) => ({ ...deps, custody: { ...deps.custody, putIfAbsent: () => Promise.resolve().then(dies) } }),
  },
  "after custody has the value": {
    deps: (deps) => {
      const { custody } = deps;
      return {
        ...deps,
        custody: { ...custody, putIfAbsent: async (...put) => custody.putIfAbsent(...put).then(dies) },
      };
    },
  },
};

describe("an attempt to issue what the issuer mints", () => {
  let bench: MintedBench;

  beforeAll(async () => {
    bench = await openMintedBench();
  });

  afterAll(async () => bench?.close());

  async function dead(death: Death, options?: RegisterMintedOptions) {
    const orders = await bench.register(options);
    const rotationId = await orders.rotate();
    await bench.take(rotationId, "preflight");
    const scene = await bench.begin(rotationId, "issue");
    death.meets?.(orders);
    await expect(issue({ ...scene, deps: death.deps?.(bench.deps) ?? bench.deps })).rejects.toThrow(Error);
    return { orders, rotationId };
  }

  /** The rotation succeeded, and nobody has a key that the ledger does not know. */
  async function expectProven({ orders, rotationId }: Awaited<ReturnType<typeof dead>>) {
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "proven", hold: null });
    expect(orders.issuer.keys()).toEqual(await orders.ledgerKeys());
    expect(orders.issuer.keys()).toEqual([orders.keyInUse()]);
    expect(orders.logsIn()).toBe("ok");
  }

  it.each(Object.entries(deaths))("invariant 3: that dies %s is taken up by the next", async (_where, death) => {
    const after = await dead(death);
    await bench.carry(after.rotationId);
    await expectProven(after);
  });

  it.each(Object.entries(deaths))("invariant 3: that dies %s can be undone without a trace", async (_where, death) => {
    const { orders, rotationId } = await dead(death);
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone", hold: null });
    expect(orders.issuer.keys()).toEqual([orders.firstKey]);
    expect(orders.issuer.keys()).toEqual(await orders.ledgerKeys());
    expect(orders.logsIn()).toBe("ok");
    expect(await versionsOf(bench, orders.credentialId)).toMatchObject([
      { number: 1, state: "live", kept: true },
      { number: 2, state: "proven-dead", kept: false },
    ]);
  });

  it("invariant 2: a candidate that is listed still, with its mark taken away, is never called gone", async () => {
    const { orders, rotationId } = await dead(deaths["before custody has the value"] ?? {}, {
      policy: { holdAfterMs: 300 },
    });
    const { server } = orders.issuer;
    const [candidate = ""] = orders.issuer.keys().filter((key) => key !== orders.firstKey);
    const { mark: _mark, ...unmarked } = server.read(candidate) ?? { enabled: true };
    server.write(candidate, unmarked);
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    const { outcome, hold } = await readRotation(bench, rotationId);
    expect({ outcome, hold }).toMatchObject({ outcome: null, hold: { code: "death_unproven" } });
    expect(hold?.detail).toContain(candidate);
    server.write(candidate, undefined);
    await bench.answer(rotationId, "retry");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone", hold: null });
  });
});
