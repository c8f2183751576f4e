import { readFile } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { refOf } from "../../activities/reach.ts";
import { undo } from "../../activities/undo.ts";
import { readOperations } from "../../ledger/undo-progress.ts";
import type { EvidenceDefinition } from "../../providers/contract/evidence.ts";
import type { Registered } from "../harness/registered.ts";
import { say, versionsOf } from "../harness/say.ts";
import { startShop } from "../harness/shop.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("what decides whether a version is ended", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  const firstLogin = async (orders: Registered) =>
    bench.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database);

  async function abort(rotationId: string): Promise<void> {
    await say(bench, rotationId, { kind: "abort" });
    expect(await bench.take(rotationId, "preflight")).toEqual({ now: "undo" });
  }

  const startAgain = async ({ file, database, applicationName }: Registered) =>
    startShop({ file, host: bench.issuer.host, port: bench.issuer.port, database, applicationName });

  it("invariant 10: after a step back and a second try the undo lets the old version in again", async () => {
    const orders = await bench.register();
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "disabled");
    // It breaks as soon as the old version is refused.
    expect((await orders.shop.close()).failures).toEqual([]);
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({
      phase: "drained",
      direction: "forward",
      hold: { code: "consumer_unhealthy" },
    });
    expect(await firstLogin(orders)).toBe("accepted");
    const shop = await startAgain(orders);
    await bench.answer(rotationId, "retry");
    await bench.reach(rotationId, "disabled");
    expect(await firstLogin(orders)).not.toBe("accepted");
    await abort(rotationId);
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await firstLogin(orders)).toBe("accepted");
    expect((await versionsOf(bench, orders.credentialId))[0]).toMatchObject({ state: "live" });
    expect((await shop.close()).failures).toEqual([]);
  });

  it("invariant 4: stronger evidence that says no is not outvoted by weaker evidence that says yes", async () => {
    const lacks: string[] = ["Instance shop-2 is still on the old version 1."];
    const challenge: EvidenceDefinition = {
      kind: "challenge",
      title: "planted",
      strength: "attested",
      needsChange: true,
      configSchema: z.strictObject({}),
      collect: () => Promise.resolve({ complete: lacks.length === 0, instances: 1, lacks: [...lacks] }),
    };
    const orders = await bench.register({ policy: { holdAfterMs: 600 } });
    await sql`
      UPDATE consumers SET evidence = jsonb_set(evidence, '{collectors,challenge}', '{}')
      WHERE id = ${orders.consumerId}`.execute(bench.ledger.db);
    const { catalog } = bench.deps;
    const planted = { ...catalog, collectors: { ...catalog.collectors, challenge } };
    const deps = { ...bench.deps, catalog: planted };
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "delivered");
    while ((await readRotation(bench, rotationId)).hold === null)
      expect(await bench.take(rotationId, "adopt", deps)).toMatchObject({ now: "wait" });
    const row = await readRotation(bench, rotationId);
    expect(row).toMatchObject({ phase: "delivered", hold: { code: "evidence_missing" } });
    expect(row.hold?.detail).toContain("Instance shop-2 is still on the old version 1.");
    const { rows } = await sql<{ complete: boolean }>`
      SELECT complete FROM evidence WHERE rotation_id = ${rotationId} AND strength = 'observed'
      ORDER BY sequence DESC LIMIT 1`.execute(bench.ledger.db);
    expect(rows).toEqual([{ complete: true }]);
    lacks.length = 0;
    await bench.answer(rotationId, "retry");
    for (;;) if ((await bench.take(rotationId, "adopt", deps)).now === "done") break;
    expect(await readRotation(bench, rotationId)).toMatchObject({ phase: "adopted", hold: null });
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 10: a consumer that was removed meanwhile does not open the way to end the candidate", async () => {
    const orders = await bench.register({ policy: { holdAfterMs: 600 } });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "promoted");
    await orders.shop.close();
    const candidate = /DB_PASSWORD="?([^"\n]*)/.exec(await readFile(orders.file, "utf8"))?.[1] ?? "";
    await sql`UPDATE consumers SET retired_at = clock_timestamp() WHERE id = ${orders.consumerId}`.execute(
      bench.ledger.db,
    );
    await abort(rotationId);
    await bench.carry(rotationId);
    const row = await readRotation(bench, rotationId);
    expect(row).toMatchObject({ direction: "undo", outcome: null, hold: { code: "registration_changed" } });
    expect(JSON.stringify(row.hold?.gaps)).toContain(`registration_changed:${orders.consumerId}`);
    expect(await bench.issuer.logsIn(orders.logins[1] ?? "", candidate, orders.database)).toBe("accepted");
    await bench.answer(rotationId, "accept");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
  });

  it.each(["before it was aborted", "once everybody was seen back"])(
    "invariant 5: a candidate whose value was lost %s is not taken for dead: a person accepts it as unproven",
    async (when) => {
      const orders = await bench.register();
      const rotationId = await orders.rotate();
      await bench.reach(rotationId, "promoted");
      const lose = async () => {
        const one = await bench.read(rotationId);
        await bench.custody.forget(refOf(one, one.to));
      };
      const isGuarded = async () =>
        (await readOperations(bench.ledger.db, rotationId)).some(
          ({ step, isDone }) => step === "guard-candidate" && isDone,
        );
      if (when.startsWith("before")) await lose();
      await abort(rotationId);
      if (!when.startsWith("before")) while (!(await isGuarded())) await undo(await bench.begin(rotationId, "undo"));
      await lose();
      await bench.carry(rotationId);
      expect(await readRotation(bench, rotationId)).toMatchObject({
        direction: "undo",
        outcome: null,
        hold: { code: "death_unproven" },
      });
      await bench.answer(rotationId, "accept");
      await bench.carry(rotationId);
      expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "closed-unproven" });
      expect(await versionsOf(bench, orders.credentialId)).toMatchObject([
        { state: "live" },
        { state: "accepted-unproven" },
      ]);
      expect((await orders.shop.close()).failures).toEqual([]);
    },
  );
});
