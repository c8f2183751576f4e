import { Client, Connection } from "@temporalio/client";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readInstance } from "../../ledger/health.ts";
import { sweepScheduleId } from "../../worker/sweep-schedule.ts";
import { register, type Registered } from "../harness/registered.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilLedger, type WorkerProcess, type World } from "../harness/world.ts";

const everyMs = 4_000;
const schedule = { kind: "every", everyMs } as const;

interface Ended {
  readonly outcome: string | null;
  readonly requested_by: string;
  readonly begunMs: number;
}

describe.runIf(hasTemporal)("rotations that happen by themselves", () => {
  let world: World;
  let worker: WorkerProcess;
  let connection: Connection;
  let handle: ReturnType<Client["schedule"]["getHandle"]>;

  beforeAll(async () => {
    world = await openWorld({ environment: { REKEY_SWEEP_EVERY_MS: "1000", WORLD_SCHEDULE_MS: "500" } });
    connection = await Connection.connect({ address: world.temporalAddress });
    const scheduleId = sweepScheduleId(await readInstance(world.ledger));
    handle = new Client({ connection }).schedule.getHandle(scheduleId);
  });

  afterAll(async () => {
    await connection?.close();
    await world?.close();
  });

  async function rotationsOf({ credentialId }: Registered): Promise<readonly Ended[]> {
    const { rows } = await sql<Ended>`
      SELECT outcome, requested_by, (extract(epoch FROM created_at) * 1000)::float8 AS "begunMs"
      FROM rotations WHERE credential_id = ${credentialId} ORDER BY created_at`.execute(world.ledger.db);
    return rows;
  }

  const untilProven = (one: Registered, times: number) =>
    untilLedger(async () => {
      const found = await rotationsOf(one);
      return found.filter(({ outcome }) => outcome === "proven").length < times ? undefined : found;
    });

  it("begin when they are due and not before, each period once; nobody is refused", async () => {
    worker = await world.startWorker();
    const both = [await register(world, { policy: { schedule } }), await register(world, { policy: { schedule } })];
    for (const one of both) {
      const found = await untilProven(one, 3);
      expect(new Set(found.map(({ requested_by }) => requested_by))).toEqual(new Set(["system:sweep"]));
      const gaps = found.slice(1).map(({ begunMs }, at) => begunMs - (found[at]?.begunMs ?? 0));
      for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(everyMs);
      await sql`UPDATE credentials SET policy = policy - 'schedule' WHERE id = ${one.credentialId}`.execute(
        world.ledger.db,
      );
      expect((await one.shop.close()).failures).toEqual([]);
    }
  });

  it("go on after the schedule was deleted or paused by hand", async () => {
    const one = await register(world, {});
    await handle.delete();
    await sql`UPDATE credentials SET policy = policy || ${JSON.stringify({ schedule })}::jsonb WHERE id = ${one.credentialId}
      `.execute(world.ledger.db);
    await untilProven(one, 1);
    await handle.pause("by hand");
    await untilProven(one, 3);
    expect((await handle.describe()).state.paused).toBe(false);
    await one.shop.close();
  });

  it("happen once after a worker was away for three periods", async () => {
    const one = await register(world, {});
    await sql`
      UPDATE versions SET created_at = created_at - interval '1 hour' WHERE credential_id = ${one.credentialId}
      `.execute(world.ledger.db);
    const policy = JSON.stringify({ schedule: { kind: "every", everyMs: 1_200_000 } });
    await sql`UPDATE credentials SET policy = policy || ${policy}::jsonb WHERE id = ${one.credentialId}`.execute(
      world.ledger.db,
    );
    await untilProven(one, 1);
    const before = (await handle.describe()).info.numActionsTaken;
    await untilLedger(async () => ((await handle.describe()).info.numActionsTaken < before + 3 ? undefined : true));
    expect(await rotationsOf(one)).toHaveLength(1);
    await one.shop.close();
  });

  it("invariant 9: a sweep that is killed before it commits has begun nothing, one that is killed after it what is then carried, once", async () => {
    const one = await register(world, {});
    await worker.stop();
    await sql`UPDATE versions SET created_at = created_at - interval '1 hour' WHERE credential_id = ${one.credentialId}`.execute(
      world.ledger.db,
    );
    const policy = JSON.stringify({ schedule: { kind: "every", everyMs: 1_800_000 } });
    await sql`UPDATE credentials SET policy = policy || ${policy}::jsonb WHERE id = ${one.credentialId}`.execute(
      world.ledger.db,
    );
    const before = await world.startWorker({ REKEY_FAILPOINT: "sweep:B2" });
    expect(await before.ended).toBe("SIGKILL");
    expect(await rotationsOf(one)).toEqual([]);
    const after = await world.startWorker({ REKEY_FAILPOINT: "sweep:B3" });
    expect(await after.ended).toBe("SIGKILL");
    expect(await rotationsOf(one)).toMatchObject([{ outcome: null, requested_by: "system:sweep" }]);
    worker = await world.startWorker();
    await untilProven(one, 1);
    expect(await rotationsOf(one)).toHaveLength(1);
    expect((await one.shop.close()).failures).toEqual([]);
  });
});
