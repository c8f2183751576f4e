import { readFile } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deliver } from "../../activities/deliver.ts";
import { undo } from "../../activities/undo.ts";
import type { Phase } from "../../domain/order.ts";
import type { Ledger } from "../../ledger/database.ts";
import { readOperations } from "../../ledger/undo-progress.ts";
import { say, versionsOf } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

/** The ledger, with something that happens before each transaction of whoever uses it. */
function withBefore(ledger: Ledger, before: () => Promise<void>): Ledger {
  const db = new Proxy(ledger.db, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      if (name !== "transaction") return member.bind(target) as unknown;
      const execute: ReturnType<typeof target.transaction>["execute"] = async (work) => {
        await before();
        return target.transaction().execute(work);
      };
      return () => ({ execute });
    },
  });
  return { ...ledger, db };
}

describe("an attempt that wakes while its rotation is undone, or after that", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  async function standing(credentialId: string) {
    const { rows } = await sql`SELECT current_version FROM credentials WHERE id = ${credentialId}`.execute(
      bench.ledger.db,
    );
    return [rows[0], ...(await versionsOf(bench, credentialId))];
  }

  /**
   * Undoes until an attempt has done `step` outside and is about to record it; then all that `meanwhile` does happens, and
   * the attempt goes on. What it failed with.
   */
  async function undoLate(rotationId: string, step: string, meanwhile: () => Promise<void>): Promise<unknown> {
    let isOver = false;
    const ledger = withBefore(bench.ledger, async () => {
      if (isOver) return;
      const operations = await readOperations(bench.ledger.db, rotationId);
      if (!operations.some((each) => each.step === step && !each.isDone)) return;
      isOver = true;
      await meanwhile();
    });
    for (;;) {
      const scene = await bench.begin(rotationId, "undo");
      const failed: unknown = await undo({ ...scene, deps: { ...bench.deps, ledger } }).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (isOver || failed !== undefined) return failed;
    }
  }

  it.each([
    // What the next rotation is at when the late attempt wants to say otherwise.
    { step: "enable", order: "overlap", abortedIn: "disabled", next: "disabled" },
    { step: "demote", order: "overlap", abortedIn: "promoted", next: "promoted" },
    { step: "abandon", order: "overlap", abortedIn: "issued", next: "reserved" },
    { step: "cut-back", order: "single-slot", abortedIn: "cut", next: "cut" },
  ] as const)(
    "invariant 7: $step changes nothing any more once another has taken its turn",
    async ({ step, order, abortedIn, next }) => {
      const orders = await bench.register({ order });
      const { credentialId } = orders;
      const rotationId = await orders.rotate();
      await bench.reach(rotationId, abortedIn satisfies Phase);
      await say(bench, rotationId, { kind: "abort" });
      await bench.take(rotationId, "preflight");
      let before: unknown;
      const failed = await undoLate(rotationId, step, async () => {
        await bench.carry(rotationId);
        expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
        await bench.reach(await orders.rotate(), next satisfies Phase);
        before = await standing(credentialId);
      });
      expect(before).toBeDefined();
      expect(await standing(credentialId)).toEqual(before);
      expect(failed).toMatchObject({ code: "claim_outdated" });
      await orders.shop.close();
    },
  );

  it("invariant 10: a delivery that had not begun writes nothing once the target is restored", async () => {
    const orders = await bench.register();
    const before = await readFile(orders.file, "utf8");
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "issued");
    const late = await bench.begin(rotationId, "deliver");
    await bench.reach(rotationId, "delivered");
    expect(await readFile(orders.file, "utf8")).not.toBe(before);
    await say(bench, rotationId, { kind: "abort" });
    const isRestored = async () =>
      (await readOperations(bench.ledger.db, rotationId)).some(({ step, isDone }) => step === "restore" && isDone);
    await bench.take(rotationId, "deliver");
    while (!(await isRestored())) await undo(await bench.begin(rotationId, "undo"));
    expect(await readFile(orders.file, "utf8")).toBe(before);
    expect(await readRotation(bench, rotationId)).toMatchObject({ direction: "undo", outcome: null });
    const failed = await deliver(late).catch((error: unknown) => error);
    expect(await readFile(orders.file, "utf8")).toBe(before);
    expect(failed).toMatchObject({ code: "claim_outdated" });
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
