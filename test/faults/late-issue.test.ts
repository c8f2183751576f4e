import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { issue } from "../../activities/issue.ts";
import { say } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("an attempt to issue that wakes after its rotation was undone", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  it("invariant 2: leaves no live login at the issuer", async () => {
    const orders = await bench.register();
    const rotationId = await orders.rotate();
    await bench.take(rotationId, "preflight");
    const late = await bench.begin(rotationId, "issue");
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    const failed = await issue(late).catch((error: unknown) => error);
    expect(
      await bench.issuer.ask(`SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = '${orders.logins[1]}'`),
    ).toEqual([{ rolcanlogin: false, rolpassword: null }]);
    expect(failed).toMatchObject({ code: "claim_outdated" });
    const { rows } = await sql<{ handle: string | null }>`
      SELECT handle FROM versions WHERE id = ${late.one.to.versionId}`.execute(bench.ledger.db);
    expect(rows).toEqual([{ handle: null }]);
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
