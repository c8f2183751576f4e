import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { transact } from "../../ledger/database.ts";
import { retireConsumer } from "../../ledger/retire.ts";
import { addConsumer, editConsumer, fileAt } from "../harness/edit-consumer.ts";
import type { Registered } from "../harness/registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("a consumer that is edited or removed while the rotation runs", () => {
  let bench: StepBench;
  beforeAll(async () => {
    bench = await openStepBench();
  });
  afterAll(async () => bench?.close());

  /** Nobody is asked because time has gone by: what is asked is asked at once. */
  const register = async () => bench.register({ policy: { holdAfterMs: 3_600_000 } });

  const held = async (rotation: string) => {
    const { phase, outcome, hold } = await readRotation(bench, rotation);
    const gaps = (hold?.gaps ?? []) as readonly { readonly key: string }[];
    return { phase, outcome, code: hold?.code ?? null, keys: gaps.map(({ key }) => key) };
  };

  /** To the same place: by its revision alone it is known to have been edited. */
  const edit = async (orders: Registered) => editConsumer(bench, orders, fileAt(orders.file));

  const remove = async (id: string, { credentialId }: Registered) =>
    transact(bench.ledger, async (trx) => {
      await sql`SELECT FROM credentials WHERE id = ${credentialId} FOR UPDATE`.execute(trx);
      await retireConsumer(trx, { id, credentialId }, "tok_test");
    });

  it("before anything was changed is asked about at once, and retry goes on with it as it is", async () => {
    const orders = await register();
    const rotation = await orders.rotate();
    await edit(orders);
    await bench.carry(rotation);
    expect(await held(rotation)).toEqual({
      phase: "reserved",
      outcome: null,
      code: "registration_changed",
      keys: [`registration_changed:${orders.consumerId}:2`],
    });
    await bench.answer(rotation, "retry");
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({ outcome: "proven", code: null });
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 4: after a delivery is asked about at once and alone; retry does not help, and what is accepted is one change", async () => {
    const orders = await register();
    const rotation = await orders.rotate();
    await bench.reach(rotation, "delivered");
    orders.shop.isStubborn = true;
    const { rows } = await sql<{ evidence: never }>`
      SELECT evidence FROM consumers WHERE id = ${orders.consumerId}`.execute(bench.ledger.db);
    const weak = { evidence: rows[0]?.evidence as never };
    await editConsumer(bench, orders, weak);
    await bench.carry(rotation);
    const first = { phase: "delivered", code: "registration_changed" };
    expect(await held(rotation)).toMatchObject({ ...first, keys: [`registration_changed:${orders.consumerId}:2`] });
    await bench.answer(rotation, "retry");
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({ ...first, keys: [`registration_changed:${orders.consumerId}:2`] });
    await bench.answer(rotation, "accept");
    await editConsumer(bench, orders, weak);
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({ ...first, keys: [`registration_changed:${orders.consumerId}:3`] });
    await bench.answer(rotation, "accept");
    orders.shop.isStubborn = false;
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({ outcome: "proven", code: null });
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("is asked about during the grace, not after it", async () => {
    const orders = await bench.register({ policy: { holdAfterMs: 3_600_000, graceMs: 3_600_000 } });
    const rotation = await orders.rotate();
    await bench.reach(rotation, "promoted");
    const { rows } = await sql<{ evidence: never }>`
      SELECT evidence FROM consumers WHERE id = ${orders.consumerId}`.execute(bench.ledger.db);
    await editConsumer(bench, orders, { evidence: rows[0]?.evidence as never });
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({ phase: "promoted", code: "registration_changed" });
    await orders.shop.close();
  });

  it("invariant 4: one that is removed while a person is asked is missed all the same after retry, until that is accepted", async () => {
    const orders = await register();
    const report = await addConsumer(bench, orders, { name: "report", ...fileAt(`${orders.file}.report`) });
    const rotation = await orders.rotate();
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({ phase: "reserved", code: "target_unused" });
    await remove(report, orders);
    await bench.answer(rotation, "retry");
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({
      phase: "delivered",
      code: "registration_changed",
      keys: [`registration_changed:${report}`],
    });
    await bench.answer(rotation, "accept");
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({ outcome: "proven", code: null });
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 4: one that retry has pinned is missed when it is removed later", async () => {
    const orders = await register();
    const rotation = await orders.rotate();
    const late = await addConsumer(bench, orders, { name: "late", ...fileAt(`${orders.file}.late`) });
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({ phase: "reserved", code: "target_unused" });
    await bench.answer(rotation, "retry");
    await remove(late, orders);
    await bench.carry(rotation);
    expect(await held(rotation)).toMatchObject({
      code: "registration_changed",
      keys: [`registration_changed:${late}`],
    });
    await orders.shop.close();
  });
});
