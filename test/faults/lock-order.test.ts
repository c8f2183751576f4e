import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { close } from "../../activities/close.ts";
import { prove } from "../../activities/prove.ts";
import { contextFor, type StepScene } from "../../activities/step-frame.ts";
import { closeUndone } from "../../activities/undo-close.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { makeRotations } from "../harness/rows.ts";
import { readRotation, untilLedger } from "../harness/world.ts";

describe("whoever ends a rotation", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  async function sceneIn(phase: string, direction: string): Promise<StepScene> {
    const [rotationId = ""] = await makeRotations(bench.ledger, 1);
    await sql`
      UPDATE rotations SET phase = ${phase}, direction = ${direction}, accepted_unproven = ${phase === "revoked"}
      WHERE id = ${rotationId}`.execute(bench.ledger.db);
    const { deps } = bench;
    const { signal } = new AbortController();
    return direction === "undo"
      ? { deps, one: await bench.read(rotationId), turn: undefined, context: contextFor(deps, signal) }
      : bench.begin(rotationId, phase === "proven" ? "close" : "prove");
  }

  it.each([
    { does: "closes it", phase: "proven", direction: "forward", work: close, outcome: "proven" },
    { does: "closes it undone", phase: "reserved", direction: "undo", work: closeUndone, outcome: "undone" },
    { does: "closes it unproven", phase: "revoked", direction: "forward", work: prove, outcome: "closed-unproven" },
  ])("invariant 9: and $does waits for the credential before it holds anything else", async (given) => {
    const scene = await sceneIn(given.phase, given.direction);
    const { rotationId, credentialId } = scene.one;
    const other = await bench.ledger.db.startTransaction().execute();
    const { rows } = await sql<{ pid: number }>`
      SELECT pg_backend_pid() AS pid FROM credentials WHERE id = ${credentialId} FOR UPDATE`.execute(other);
    const ending = given.work(scene);
    const untilItWaits = untilLedger(async () => {
      const { rows: waiting } = await sql`
        SELECT pid FROM pg_stat_activity WHERE ${rows[0]?.pid ?? 0} = ANY(pg_blocking_pids(pid))`.execute(
        bench.ledger.db,
      );
      return waiting.length > 0 ? "waits" : undefined;
    });
    try {
      expect(await Promise.race([untilItWaits, ending.then(() => "has not waited")])).toBe("waits");
      // As everybody does who has the credential: in a circle the ledger would end one of the two.
      await sql`SELECT FROM rotations WHERE id = ${rotationId} FOR UPDATE NOWAIT`.execute(other);
      await sql`SELECT FROM operations WHERE rotation_id = ${rotationId} FOR UPDATE NOWAIT`.execute(other);
      await sql`SELECT FROM versions WHERE credential_id = ${credentialId} FOR UPDATE NOWAIT`.execute(other);
      await other.commit().execute();
    } catch (error) {
      await other.rollback().execute();
      throw error;
    } finally {
      await ending;
    }
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: given.outcome });
  });
});
