import { Client, Connection } from "@temporalio/client";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withApi, type TestApi } from "../harness/api.ts";
import { register, type Registered } from "../harness/registered.ts";
import { untilPhase } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilLedger, type WorkerProcess, type World } from "../harness/world.ts";

describe.runIf(hasTemporal)("an emergency, carried by Temporal and a worker", () => {
  let world: World;
  let worker: WorkerProcess;
  let api: TestApi;

  beforeAll(async () => {
    world = await openWorld();
    worker = await world.startWorker();
    api = await (await withApi(world)).as("responder");
  });
  afterAll(async () => {
    await api?.app.close();
    await world?.close();
  });

  async function declare({ credentialId }: Registered, more: object): Promise<Readonly<Record<string, unknown>>> {
    const body = { credentials: [credentialId], reason: "found in a repository", ...more };
    const { status, json, text } = await api.ask("POST", "/emergencies", body);
    if (status !== 200) throw new Error(text);
    return (json["affected"] as Readonly<Record<string, unknown>>[])[0] ?? {};
  }

  /** Waits until the emergency is closed; answers with how. A hold ends the wait with an error. */
  const untilOver = async (emergencyId: unknown): Promise<string> =>
    untilLedger(async () => {
      const { rows } = await sql<{ outcome: string | null; held: string | null }>`
        SELECT e.outcome, (SELECT h.code || ' ' || h.detail FROM holds h JOIN rotations r ON r.id = h.rotation_id
          WHERE r.credential_id = e.credential_id AND h.decided_at IS NULL) AS held
        FROM emergencies e WHERE e.id = ${emergencyId}`.execute(world.ledger.db);
      const [row] = rows;
      if (typeof row?.held === "string") throw new Error(`It holds: ${row.held}`);
      return row?.outcome ?? undefined;
    });

  const isDead = async ({ logins, password, database }: Registered) =>
    (await world.issuer.logsIn(logins[0] ?? "", password, database)) === "28P01";

  async function queuesOf(rotationId: string): Promise<readonly string[]> {
    const connection = await Connection.connect({ address: world.temporalAddress });
    try {
      const client = new Client({ connection });
      const found: string[] = [];
      for await (const run of client.workflow.list({ query: `WorkflowId = 'rotate/${rotationId}'` }))
        found.unshift(run.taskQueue);
      return found;
    } finally {
      await connection.close();
    }
  }

  const patient = { holdAfterMs: 300_000 };

  it("contain-first, from the call to the proof", async () => {
    const orders = await register(world, { policy: patient });
    const { emergencyId, rotationId } = await declare(orders, { contain: true });
    expect(await untilOver(emergencyId)).toBe("proven");
    expect(await isDead(orders)).toBe(true);
    expect(new Set(await queuesOf(String(rotationId)))).toEqual(new Set(["rekey.urgent"]));
    await orders.shop.close();
  });

  it("takes over a routine rotation in its grace, which goes on in the urgent queue", async () => {
    const orders = await register(world, { policy: { ...patient, graceMs: 3_600_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    const declared = await declare(orders, { contain: false, versions: [1] });
    expect(declared).toMatchObject({ how: "upgrade", rotationId });
    expect(await untilOver(declared["emergencyId"])).toBe("proven");
    expect(await isDead(orders)).toBe(true);
    expect((await orders.shop.close()).failures).toEqual([]);
    const queues = await queuesOf(rotationId);
    expect([queues[0], queues.at(-1)]).toEqual(["rekey", "rekey.urgent"]);
  });

  it("goes on after the worker was killed in the middle", async () => {
    const orders = await register(world, { policy: patient });
    await worker.arm("revoke:B2");
    const { emergencyId } = await declare(orders, { contain: true });
    expect(await worker.ended).toBe("SIGKILL");
    worker = await world.startWorker();
    expect(await untilOver(emergencyId)).toBe("proven");
    expect(await isDead(orders)).toBe(true);
    await orders.shop.close();
  });

  it("invariant 9: declared while Temporal is down it is not lost", async () => {
    const orders = await register(world, { policy: patient });
    await world.servers.temporal.kill();
    const { emergencyId } = await declare(orders, { contain: true });
    expect(await isDead(orders)).toBe(false);
    await world.servers.temporal.restart();
    expect(await untilOver(emergencyId)).toBe("proven");
    expect(await isDead(orders)).toBe(true);
    await orders.shop.close();
  });

  it("does not wait behind routine work on a rotation that runs already", async () => {
    const orders = await register(world, { policy: { ...patient, graceMs: 3_600_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await worker.stop();
    worker = await world.startWorker({ WORLD_ROUTINE: "full" });
    const declared = await declare(orders, { contain: false, versions: [1] });
    expect(declared).toMatchObject({ how: "upgrade", rotationId });
    expect(await untilOver(declared["emergencyId"])).toBe("proven");
    expect(await isDead(orders)).toBe(true);
    expect((await orders.shop.close()).failures).toEqual([]);
    const queues = await queuesOf(rotationId);
    expect([queues[0], queues.at(-1)]).toEqual(["rekey", "rekey.urgent"]);
    expect(queues.filter((queue) => queue === "rekey.urgent")).toHaveLength(1);
  });
});
