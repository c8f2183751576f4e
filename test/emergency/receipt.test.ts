import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSigningKeys } from "../../custody/signing-key-file.ts";
import { releaseConsumer } from "../../ledger/emergencies.ts";
import { declareFreeze } from "../../ledger/freezes.ts";
import { createSealer, type Sealer } from "../../ledger/sealer.ts";
import { signedReceipt, type ReceiptBody } from "../../receipt/shape.ts";
import { withApi, type TestApi } from "../harness/api.ts";
import { withCli, type CliPlace } from "../harness/cli.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { carryAll, declare, meet } from "./scene.ts";
import { addShop } from "./second-shop.ts";

let bench: StepBench;
let api: TestApi;
let cli: CliPlace;
let sealer: Sealer;

beforeAll(async () => {
  bench = await openStepBench();
  api = await withApi(bench);
  const { publicKeys } = await openSigningKeys(join(bench.folder, "keys", "audit.json"), { create: false });
  Object.assign(api.deps, { auditKeys: publicKeys });
  cli = await withCli(api);
  sealer = createSealer({ ledger: bench.ledger, signingKey: bench.deps.signingKey, everyMs: 20, headEveryMs: 0 });
  sealer.start();
});
afterAll(async () => {
  await sealer?.stop();
  await api?.app.close();
  await bench?.close();
});

const patient = { holdAfterMs: 300_000 };

async function receiptOf(rotation: string, format: "json" | "text"): Promise<string> {
  const ran = await bench.checking(async () => cli.run(["rotation", "receipt", rotation, "--format", format]));
  expect(ran).toMatchObject({ code: 0, err: "" });
  return ran.out;
}

async function bodyOf(rotation: string): Promise<ReceiptBody> {
  return signedReceipt.parse(JSON.parse(await receiptOf(rotation, "json"))).receipt;
}

describe("the receipt of a rotation that an emergency carried", () => {
  it("says what was declared and how it ended, who was suspected, what was overridden and who broke for how long", async () => {
    const orders = await bench.register({ policy: patient });
    const second = await addShop(bench, orders);
    const { credentialId } = orders;
    await declareFreeze(bench.ledger, {
      ...{ teamId: null, environmentId: null, reason: "quarter end", actor: "tok_operator" },
      until: new Date(Date.now() + 3_600_000),
    });
    const asked = { versions: [1], contain: true, reason: "found in a log", suspects: [second.consumerId] };
    const { rotationId = "", emergencyId } = await declare(bench, credentialId, asked);
    await bench.reach(rotationId, "proven");
    const release = { consumerId: second.consumerId, actor: "tok_responder", reason: "it was not it" };
    await releaseConsumer(bench.ledger, release);
    await carryAll(bench, credentialId);
    await sql`UPDATE freezes SET ended_at = clock_timestamp()`.execute(bench.ledger.db);

    const body = await bodyOf(rotationId);
    expect(body.emergency).toMatchObject({
      declarations: [
        {
          ...{ id: emergencyId, by: "tok_responder", reason: "found in a log", way: "contain", contained: true },
          ...{ atDeadline: "contain", outcome: "proven", carriedBy: rotationId },
          versions: [{ number: 1, provenAt: body.deaths[0]?.at, seconds: expect.any(Number) }],
          suspects: [{ releasedBy: "tok_responder", reason: "it was not it", releasedAt: expect.any(String) }],
          row: { action: "emergency.declared" },
        },
      ],
      overridden: [{ what: "freeze", why: "quarter end", by: "tok_responder" }],
    });
    const [one] = body.emergency?.declarations ?? [];
    expect(one?.versions[0]?.seconds).toBeCloseTo(
      (Date.parse(body.deaths[0]?.at ?? "") - Date.parse(one?.at ?? "")) / 1_000,
      3,
    );
    const broken = body.emergency?.broken ?? [];
    expect(broken.map(({ consumer }) => consumer).toSorted()).toEqual(
      body.consumers.map(({ name }) => name).toSorted(),
    );
    for (const { from, until, seconds } of broken) {
      expect(Date.parse(until ?? "")).toBeGreaterThan(Date.parse(from));
      expect(seconds).toBeGreaterThan(0);
    }
    const text = await receiptOf(rotationId, "text");
    expect(text).toContain("since the emergency waited for nobody");
    for (const wrong of ["a person accepted", "nobody on record"]) expect(text).not.toContain(wrong);
    await Promise.all([orders.shop.close(), second.shop.close()]);
  });

  it("does not count who had moved before the end among those that it broke, nor forgets who was retired since", async () => {
    const orders = await bench.register({ policy: patient });
    const second = await addShop(bench, orders);
    const { credentialId } = orders;
    const asked = { versions: [1], deadlineMs: 300_000, suspects: [second.consumerId] };
    const { rotationId = "" } = await declare(bench, credentialId, asked);
    await bench.reach(rotationId, "adopted");
    await sql`UPDATE emergencies SET deadline = clock_timestamp() WHERE credential_id = ${credentialId}`.execute(
      bench.ledger.db,
    );
    await carryAll(bench, credentialId);
    const { rows } = await sql<{ name: string }>`
      UPDATE consumers n SET retired_at = clock_timestamp() FROM teams t
      WHERE n.id = ${second.consumerId} AND t.id = n.team_id RETURNING t.name || '/' || n.name AS name`.execute(
      bench.ledger.db,
    );
    const { emergency } = await bodyOf(rotationId);
    expect(emergency?.declarations).toMatchObject([{ way: "continuity", contained: true }]);
    expect(emergency?.broken).toMatchObject([{ consumer: rows[0]?.name, until: null, seconds: null }]);
    await Promise.all([orders.shop.close(), second.shop.close()]);
  });

  it("of one that gave way to another names that one, and when all of it was dead", async () => {
    const orders = await bench.register({ policy: patient });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "issued");
    const { declared } = await meet(bench, orders, { versions: [1, 2], contain: true });
    expect(declared.how).toBe("successor");
    const body = await bodyOf(rotationId);
    const [one] = body.emergency?.declarations ?? [];
    expect(one?.versions).toMatchObject([
      { number: 1, seconds: expect.any(Number) },
      { number: 2, seconds: expect.any(Number) },
    ]);
    expect(one?.carriedBy).not.toBe(rotationId);
    expect(body.deaths.map(({ version }) => version)).toEqual([2]);
    expect((await bodyOf(one?.carriedBy ?? "")).emergency?.declarations).toMatchObject([{ id: one?.id }]);
    expect(await receiptOf(rotationId, "text")).toContain(`gave way to ${one?.carriedBy}`);
    await orders.shop.close();
  });

  it("invariant 15: is not signed when the declaration is not what was sealed", async () => {
    const orders = await bench.register({ policy: patient });
    const { declared } = await meet(bench, orders, { versions: [1], contain: true });
    await bodyOf(declared.rotationId ?? "");
    await bench.ledger.db.transaction().execute(async (trx) => {
      await sql`ALTER TABLE audit DISABLE TRIGGER append_only`.execute(trx);
      await sql`UPDATE audit SET actor = 'tok_nobody'
        WHERE action = 'emergency.declared' AND details ->> 'emergency' = ${declared.emergencyId}`.execute(trx);
      await sql`ALTER TABLE audit ENABLE TRIGGER append_only`.execute(trx);
    });
    const ran = await bench.checking(async () => cli.run(["rotation", "receipt", declared.rotationId ?? ""]));
    expect([ran.code, ran.err]).toEqual([1, expect.stringMatching(/Row \d+ is not what was sealed/)]);
    await orders.shop.close();
  });

  it("has no such part where no emergency had a say", async () => {
    const orders = await bench.register();
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    await orders.shop.close();
    expect(await bodyOf(rotationId)).not.toHaveProperty("emergency");
  });
});
