import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adoptFor, applyFor, initFor, makeOrdinaryLogin, paste, reserveFor } from "../harness/ordinary-login.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import { versionsOf } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("a login whose value of today nobody knows", () => {
  let bench: StepBench;
  beforeAll(async () => {
    bench = await openStepBench();
  });
  afterAll(async () => bench?.close());

  async function begin() {
    const login = await makeOrdinaryLogin(bench);
    const adminPassword = newSecret();
    const found = await initFor(bench, login);
    await paste(bench, found.steps, adminPassword);
    const credentialId = await applyFor(bench, found, adminPassword);
    expect(await adoptFor(bench, credentialId, login, { isUnknown: true })).toMatchObject({ state: "done" });
    const rotation = await reserveFor(bench, credentialId);
    const before = await readFile(login.file, "utf8");
    await bench.carry(rotation);
    return { login, credentialId, rotation, before };
  }

  const now = async (rotation: string) => {
    const { phase, outcome, hold } = await readRotation(bench, rotation);
    return { phase, outcome, hold: hold?.code ?? null };
  };

  it("is asked about before its consumers' value is overwritten: rolled back, nobody has noticed anything", async () => {
    const { login, rotation, before } = await begin();
    expect(await now(rotation)).toEqual({ phase: "issued", outcome: null, hold: "former_unknown" });
    expect(await readFile(login.file, "utf8")).toBe(before);
    await bench.answer(rotation, "roll-back");
    await bench.carry(rotation);
    expect(await now(rotation)).toMatchObject({ outcome: "undone" });
    expect(await readFile(login.file, "utf8")).toBe(before);
    expect((await login.shop.close()).failures).toEqual([]);
  });

  it("invariant 5: is asked about before it ends, and never recorded as proven dead", async () => {
    const { login, credentialId, rotation } = await begin();
    await bench.answer(rotation, "accept");
    await bench.carry(rotation);
    expect(await now(rotation)).toEqual({ phase: "disabled", outcome: null, hold: "former_unknown" });
    await bench.answer(rotation, "accept");
    await bench.carry(rotation);
    expect(await now(rotation)).toEqual({ phase: "revoked", outcome: null, hold: "custody_missing" });
    await bench.answer(rotation, "accept");
    await bench.carry(rotation);
    expect(await now(rotation)).toMatchObject({ outcome: "closed-unproven" });
    expect(await versionsOf(bench, credentialId)).toMatchObject([{ state: "accepted-unproven" }, { state: "live" }]);
    expect(await bench.issuer.logsIn(login.name, login.password, login.database)).toBe("28P01");
    expect((await login.shop.close()).failures).toEqual([]);
  });

  it("invariant 10: is let in again by the undo, as it was, for a person who puts its value back", async () => {
    const { login, rotation, before } = await begin();
    await bench.answer(rotation, "accept");
    await bench.carry(rotation);
    await bench.answer(rotation, "roll-back");
    await bench.carry(rotation);
    expect(await now(rotation)).toMatchObject({ hold: "restore_failed" });
    expect(await bench.issuer.logsIn(login.name, login.password, login.database)).toBe("accepted");
    await writeFile(login.file, before);
    await bench.answer(rotation, "accept");
    await bench.carry(rotation);
    expect(await now(rotation)).toMatchObject({ outcome: "undone" });
    expect((await login.shop.close()).failures).toEqual([]);
  });
});
