import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { issue } from "../../activities/issue.ts";
import { refOf } from "../../activities/reach.ts";
import type { StepScene } from "../../activities/step-frame.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { gate } from "../conformance/gate.ts";
import type { HttpCall } from "../harness/proxy/http.ts";
import { openMintedBench, type MintedBench } from "../harness/minting/bench.ts";
import { isMint, type MintedRegistered, type RegisterMintedOptions } from "../harness/minting/registered.ts";
import { auditActions, say, versionsOf } from "../harness/say.ts";
import { readRotation } from "../harness/world.ts";

describe("attempts to issue what the issuer mints", () => {
  let bench: MintedBench;

  beforeAll(async () => {
    bench = await openMintedBench();
  });

  afterAll(async () => bench?.close());

  interface Case {
    readonly orders: MintedRegistered;
    readonly rotationId: string;
  }

  async function begun(options?: RegisterMintedOptions): Promise<Case> {
    const orders = await bench.register(options);
    const rotationId = await orders.rotate();
    await bench.take(rotationId, "preflight");
    return { orders, rotationId };
  }

  async function expectProven({ orders, rotationId }: Case) {
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "proven", hold: null });
    expect(orders.issuer.keys()).toEqual(await orders.ledgerKeys());
    expect(orders.issuer.keys()).toEqual([orders.keyInUse()]);
    expect(orders.logsIn()).toBe("ok");
  }

  async function expectUndone({ orders, rotationId }: Case) {
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone", hold: null });
    expect(orders.issuer.keys()).toEqual([orders.firstKey]);
    expect(orders.issuer.keys()).toEqual(await orders.ledgerKeys());
    expect(orders.logsIn()).toBe("ok");
  }

  const isList = ({ method, path }: HttpCall): boolean => method === "GET" && path === "/keys";

  /** Tells that a value is on its way, and brings it when it is let through. */
  function slowCustody(arrive: () => void, until: Promise<void>): typeof bench.deps.custody {
    const { custody } = bench.deps;
    return {
      ...custody,
      async putIfAbsent(...put) {
        arrive();
        await until;
        return custody.putIfAbsent(...put);
      },
    };
  }

  const keptOf = async ({ one }: StepScene) => bench.custody.get(refOf(one, one.to));
  const failureOf = async (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  it("invariant 7: of two at once, the older records nothing and the newer one's key stays", async () => {
    const { orders, rotationId } = await begun();
    const [until, release] = gate();
    void orders.proxy.meet(isMint, { do: "delay-answer", until });
    const older = failureOf(issue(await bench.begin(rotationId, "issue")));
    await expect.poll(() => orders.issuer.keys().length).toBe(2);
    const newer = await bench.begin(rotationId, "issue");
    await issue(newer);
    const before = orders.issuer.keys();
    release();
    expect(await older).toMatchObject({ code: "claim_outdated" });
    expect(orders.issuer.keys()).toEqual(before);
    await bench.carry(rotationId);
    await expectProven({ orders, rotationId });
  });

  it("invariant 1: one that is about to end an older attempt's key ends none that a newer one goes on with", async () => {
    const { orders, rotationId } = await begun();
    const [landed, land] = gate();
    const [arrived, arrive] = gate();
    const slow = slowCustody(arrive, landed);
    const oldest = failureOf(
      issue({ ...(await bench.begin(rotationId, "issue")), deps: { ...bench.deps, custody: slow } }),
    );
    await arrived;
    const [until, release] = gate();
    const reached = orders.proxy.meet(isList, { do: "delay", until });
    const older = failureOf(issue(await bench.begin(rotationId, "issue")));
    await reached;
    land();
    await oldest;
    const newest = await failureOf(issue(await bench.begin(rotationId, "issue")));
    const going = newest === undefined ? orders.issuer.keys() : [];
    release();
    expect(await older).toMatchObject({ code: "claim_outdated" });
    expect(orders.issuer.keys()).toEqual(expect.arrayContaining([...going]));
    await bench.carry(rotationId);
    expect(orders.issuer.keys()).toEqual(await orders.ledgerKeys());
    expect(orders.logsIn()).toBe("ok");
  });

  it("invariant 2: one whose call lands after the rotation is over ends what it made", async () => {
    const { orders, rotationId } = await begun();
    const [until, release] = gate();
    const arrived = orders.proxy.meet(isMint, { do: "delay", until });
    const late = failureOf(issue(await bench.begin(rotationId, "issue")));
    await arrived;
    await bench.carry(rotationId);
    release();
    expect(await late).toMatchObject({ code: "claim_outdated" });
    expect(orders.proxy.calls.filter(isMint).map(({ status }) => status)).toEqual([200, 200]);
    await expectProven({ orders, rotationId });
  });

  it("invariant 2: one that wakes after the undo leaves neither a key nor a value", async () => {
    const { orders, rotationId } = await begun();
    const late = await bench.begin(rotationId, "issue");
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    expect(await failureOf(issue(late))).toMatchObject({ code: "claim_outdated" });
    expect(orders.proxy.calls.filter(isMint)).toHaveLength(1);
    expect(await keptOf(late)).toBeUndefined();
    await expectUndone({ orders, rotationId });
  });

  it("invariant 2: one whose value comes late into custody, after the undo, takes it out again", async () => {
    const { orders, rotationId } = await begun();
    const late = await bench.begin(rotationId, "issue");
    const [until, release] = gate();
    const [arrived, arrive] = gate();
    const slow = slowCustody(arrive, until);
    const failed = failureOf(issue({ ...late, deps: { ...bench.deps, custody: slow } }));
    await arrived;
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    release();
    expect(await failed).toMatchObject({ code: "claim_outdated" });
    expect(await keptOf(late)).toBeUndefined();
    await expectUndone({ orders, rotationId });
  });

  it("invariant 7: custody that has another attempt's value has the version given up, never delivered", async () => {
    const { orders, rotationId } = await begun();
    const scene = await bench.begin(rotationId, "issue");
    const foreign = { keyId: "key-of-nobody", secretKey: new Secret("of-a-put-that-was-late") };
    const { custody } = bench.deps;
    const beaten: typeof custody = {
      ...custody,
      async putIfAbsent(ref, value) {
        await custody.putIfAbsent(ref, foreign);
        return custody.putIfAbsent(ref, value);
      },
    };
    expect(await failureOf(issue({ ...scene, deps: { ...bench.deps, custody: beaten } }))).toMatchObject({
      code: "custody_missing",
      name: "PermanentError",
    });
    await bench.carry(rotationId);
    await expectUndone({ orders, rotationId });
    expect(await keptOf(scene)).toBeUndefined();
  });

  it.each([2, 3])(
    "invariant 8: a call that the issuer got twice leaves one key, with room for %d",
    async (capacity) => {
      const { orders, rotationId } = await begun({ capacity });
      void orders.proxy.meet(isMint, { do: "send-twice" });
      await bench.reach(rotationId, "issued");
      expect(orders.issuer.keys().length).toBe(2);
      await bench.carry(rotationId);
      await expectProven({ orders, rotationId });
    },
  );

  it("a value that is unfit never reaches custody, and its key is ended", async () => {
    const { orders, rotationId } = await begun();
    orders.issuer.server.nextMinted = "cut\u0000short";
    await bench.carry(rotationId);
    await expectUndone({ orders, rotationId });
    expect(await versionsOf(bench, orders.credentialId)).toMatchObject([
      { number: 1, state: "live", kept: true },
      { number: 2, state: "proven-dead", kept: false },
    ]);
  });

  it("invariant 2: a key that appears while the undo asks for the list is ended by it", async () => {
    const { orders, rotationId } = await begun({ lagMs: 400 });
    const [until, release] = gate();
    const arrived = orders.proxy.meet(isMint, { do: "delay", until });
    const dying = new AbortController();
    const scene = await bench.begin(rotationId, "issue");
    const late = failureOf(issue({ ...scene, context: { ...scene.context, signal: dying.signal } }));
    await arrived;
    dying.abort();
    await late;
    await say(bench, rotationId, { kind: "abort" });
    // The proof's own first look: by then everything has been abandoned once.
    const isListing = ({ method, path }: { method: string; path: string }) => method === "GET" && path === "/keys";
    let looks = 0;
    orders.proxy.each((call) => {
      if (isListing(call) && (looks += 1) === 2) release();
      return undefined;
    });
    await bench.carry(rotationId);
    expect(orders.proxy.calls.filter(isMint)).toMatchObject([{ applied: 1 }]);
    await expectUndone({ orders, rotationId });
  });

  it.each([
    ["proven", "closed"],
    ["undone", "drained"],
    ["undone", "disabled"],
  ] as const)(
    "invariant 20: an issuer that is stale for a while refuses no application in a rotation that is %s once %s",
    async (outcome, phase) => {
      const { orders, rotationId } = await begun({ lagMs: 400 });
      const refused: string[] = [];
      let isOver = false;
      const sentinel = (async () => {
        while (!isOver) {
          const answer = orders.logsIn();
          if (answer !== "ok") refused.push(answer);
          await pause(20);
        }
      })();
      if (outcome === "undone") {
        await bench.reach(rotationId, phase);
        await say(bench, rotationId, { kind: "abort" });
      }
      await bench.carry(rotationId);
      isOver = true;
      await sentinel;
      expect(refused).toEqual([]);
      if (outcome === "proven") await expectProven({ orders, rotationId });
      else await expectUndone({ orders, rotationId });
      expect(await auditActions(bench, rotationId)).not.toContain("step.failed");
    },
  );
});
