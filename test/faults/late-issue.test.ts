import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { issue, stage } from "../../activities/issue.ts";
import { refOf } from "../../activities/reach.ts";
import type { StepScene, StepWork } from "../../activities/step-frame.ts";
import { say } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("an attempt to put a new value in force that wakes after its rotation was undone", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  /** What the attempt failed with once everything had been undone while it stood still after its intent. */
  async function wakeAfterUndo(late: StepScene, work: StepWork): Promise<unknown> {
    const { rotationId } = late.one;
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    return work(late).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  async function handleOf({ one }: StepScene) {
    const { rows } = await sql`SELECT handle FROM versions WHERE id = ${one.to.versionId}`.execute(bench.ledger.db);
    return rows[0];
  }

  const keptOf = async ({ one }: StepScene) => bench.custody.get(refOf(one, one.to));

  it("invariant 2: leaves no live login of the new version at the issuer", async () => {
    const orders = await bench.register();
    const rotationId = await orders.rotate();
    await bench.take(rotationId, "preflight");
    const late = await bench.begin(rotationId, "issue");
    const failed = await wakeAfterUndo(late, issue);
    const second = `SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = '${orders.logins[1]}'`;
    expect(await bench.issuer.ask(second)).toEqual([{ rolcanlogin: false, rolpassword: null }]);
    expect(failed).toMatchObject({ code: "claim_outdated" });
    expect(await handleOf(late)).toEqual({ handle: null });
    expect(await keptOf(late)).toBeUndefined();
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 2: in a single slot, gives no handle to a version that was given up", async () => {
    const orders = await bench.register({ order: "single-slot" });
    const rotationId = await orders.rotate();
    await bench.take(rotationId, "preflight");
    const late = await bench.begin(rotationId, "stage");
    expect(await wakeAfterUndo(late, stage)).toMatchObject({ code: "claim_outdated" });
    expect(await handleOf(late)).toEqual({ handle: null });
    expect(await keptOf(late)).toBeUndefined();
    expect(await bench.issuer.logsIn(orders.owner, orders.password, orders.database)).toBe("accepted");
    await orders.shop.close();
  });

  it("invariant 2: forgets nothing that a newer attempt has put in force", async () => {
    const orders = await bench.register();
    const rotationId = await orders.rotate();
    await bench.take(rotationId, "preflight");
    const late = await bench.begin(rotationId, "issue");
    await bench.reach(rotationId, "issued");
    await expect(issue(late)).rejects.toMatchObject({ code: "claim_outdated" });
    expect(await keptOf(late)).toBeDefined();
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "proven" });
    await orders.shop.close();
  });
});
