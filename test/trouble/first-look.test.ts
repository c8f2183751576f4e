import { readFile, stat, writeFile } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addConsumer, editConsumer, fileAt } from "../harness/edit-consumer.ts";
import { adoptFor, applyFor, initFor, makeOrdinaryLogin, paste, reserveFor } from "../harness/ordinary-login.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import type { Registered } from "../harness/registered.ts";
import { versionsOf } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("a target that rekey has never written", () => {
  let bench: StepBench;
  beforeAll(async () => {
    bench = await openStepBench();
  });
  afterAll(async () => bench?.close());

  const onlyDelivered = { wanted: "delivered", collectors: {} } as const;

  /** An application that reads its file, and a registration that names the file `misspelt`. */
  async function begin(evidence?: typeof onlyDelivered) {
    const orders = await bench.register(evidence === undefined ? {} : { evidence });
    const misspelt = orders.file.replace(/\.env$/, ".evn");
    await editConsumer(bench, orders, fileAt(misspelt));
    const rotation = await orders.rotate();
    await bench.carry(rotation);
    return { orders, misspelt, rotation };
  }

  const heldGaps = async (rotation: string) => {
    const { phase, outcome, hold } = await readRotation(bench, rotation);
    const gaps = (hold?.gaps ?? []) as readonly {
      readonly code: string;
      readonly key: string;
      readonly text: string;
    }[];
    return { phase, outcome, code: hold?.code ?? null, detail: hold?.detail ?? "", gaps };
  };

  const firstLogin = async ({ logins, password, database }: Registered) =>
    bench.issuer.logsIn(logins[0] ?? "", password, database);

  it("holds before anything is changed when it does not exist, though to be written is all that it has to show", async () => {
    const { orders, misspelt, rotation } = await begin(onlyDelivered);
    const held = await heldGaps(rotation);
    expect(held).toMatchObject({ phase: "reserved", outcome: null, code: "target_unused" });
    expect(held.gaps.map(({ text }) => text)).toEqual([
      expect.stringContaining(`Consumer shop: file:${misspelt} does not exist, or holds none of its keys`),
    ]);
    await expect(stat(misspelt)).rejects.toMatchObject({ code: "ENOENT" });
    expect((await versionsOf(bench, orders.credentialId)).map(({ state }) => state)).toEqual(["live", "intended"]);
    expect(await firstLogin(orders)).toBe("accepted");
    await bench.answer(rotation, "roll-back");
    await bench.carry(rotation);
    expect(await firstLogin(orders)).toBe("accepted");
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("asks for each of several, and again of one that is corrected to another place where nothing is", async () => {
    const { orders, misspelt, rotation } = await begin();
    await bench.answer(rotation, "retry");
    const report = await addConsumer(bench, orders, { name: "report", ...fileAt(`${misspelt}.report`) });
    await bench.carry(rotation);
    expect((await heldGaps(rotation)).gaps.map(({ key }) => key)).toEqual([
      `target_unused:${report}:1`,
      `target_unused:${orders.consumerId}:2`,
    ]);
    await bench.answer(rotation, "accept");
    await editConsumer(bench, orders, fileAt(`${misspelt}.again`));
    await bench.carry(rotation);
    const again = await heldGaps(rotation);
    expect(again).toMatchObject({ phase: "reserved", code: "target_unused" });
    expect(again.gaps.map(({ key }) => key)).toEqual([`target_unused:${orders.consumerId}:3`]);
    await orders.shop.close();
  });

  it("once its place is corrected, retry goes on to the end and nobody is asked about the correction", async () => {
    const { orders, misspelt, rotation } = await begin();
    await editConsumer(bench, orders, fileAt(orders.file));
    await bench.answer(rotation, "retry");
    await bench.carry(rotation);
    expect(await heldGaps(rotation)).toMatchObject({ outcome: "proven", code: null });
    await expect(stat(misspelt)).rejects.toMatchObject({ code: "ENOENT" });
    expect((await orders.shop.close()).failures).toEqual([]);
    expect(await firstLogin(orders)).toBe("28P01");
  });

  it("is made new when a person accepts that, which is on record", async () => {
    const { orders, misspelt, rotation } = await begin();
    await bench.answer(rotation, "accept");
    await bench.reach(rotation, "delivered");
    expect(await readFile(misspelt, "utf8")).toContain(`DB_USER=${orders.logins[1]}`);
    const { rows } = await sql<{ details: { decision: string; gaps: readonly string[] } }>`
      SELECT details FROM audit WHERE rotation_id = ${rotation} AND action = 'hold.answered'`.execute(bench.ledger.db);
    expect(rows).toMatchObject([{ details: { decision: "accept", gaps: [`target_unused:${orders.consumerId}:2`] } }]);
    await orders.shop.close();
  });

  it("counts as empty without its keys, whatever else it holds", async () => {
    const orders = await bench.register();
    await writeFile(`${orders.file}.other`, "MODE=live\n", { mode: 0o600 });
    await editConsumer(bench, orders, fileAt(`${orders.file}.other`));
    const rotation = await orders.rotate();
    await bench.carry(rotation);
    expect(await heldGaps(rotation)).toMatchObject({ phase: "reserved", code: "target_unused" });
    await orders.shop.close();
  });

  it("invariant 12: that holds another value than the current one is not written, nor can that be accepted", async () => {
    const orders = await bench.register();
    const other = `${orders.file}.other`;
    await writeFile(other, `DB_USER=report\nDB_PASSWORD=${newSecret()}\n`, { mode: 0o600 });
    await editConsumer(bench, orders, fileAt(other));
    const rotation = await orders.rotate();
    await bench.carry(rotation);
    const held = await heldGaps(rotation);
    expect(held).toMatchObject({ phase: "reserved", code: "target_drift" });
    expect(held.detail).toContain(`file:${other} holds a value that rekey did not put there.`);
    expect(held.detail).toContain("another one than version 1");
    await expect(bench.answer(rotation, "accept")).rejects.toThrow();
    await orders.shop.close();
  });

  it("of a consumer that comes late is looked at before it is written", async () => {
    const orders = await bench.register();
    const rotation = await orders.rotate();
    await bench.reach(rotation, "delivered");
    const misspelt = `${orders.file}.late`;
    const late = await addConsumer(bench, orders, { name: "late", ...fileAt(misspelt) });
    await bench.carry(rotation);
    const held = await heldGaps(rotation);
    expect(held).toMatchObject({ phase: "delivered", code: "target_unused" });
    expect(held.gaps.map(({ key }) => key)).toEqual([`target_unused:${late}:1`]);
    await expect(stat(misspelt)).rejects.toMatchObject({ code: "ENOENT" });
    await bench.answer(rotation, "roll-back");
    await bench.carry(rotation);
    await expect(stat(misspelt)).rejects.toMatchObject({ code: "ENOENT" });
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("holds when it is empty, also where nobody knows the value of today", async () => {
    const login = await makeOrdinaryLogin(bench);
    const adminPassword = newSecret();
    const found = await initFor(bench, login);
    await paste(bench, found.steps, adminPassword);
    const misspelt = `${login.file}.misspelt`;
    const manifests = found.manifests.map((one) =>
      one.kind === "Consumer" ? { ...one, spec: { ...one.spec, config: fileAt(misspelt).config } } : one,
    );
    const credentialId = await applyFor(bench, { ...found, manifests }, adminPassword);
    await adoptFor(bench, credentialId, login, { isUnknown: true });
    const rotation = await reserveFor(bench, credentialId);
    await bench.carry(rotation);
    expect(await heldGaps(rotation)).toMatchObject({ phase: "reserved", code: "target_unused" });
    await expect(stat(misspelt)).rejects.toMatchObject({ code: "ENOENT" });
    await login.shop.close();
  });
});
