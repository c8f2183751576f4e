import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newSecret } from "../harness/postgres-issuer.ts";
import type { Registered } from "../harness/registered.ts";
import { say } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("a password that somebody changes while a rotation runs", () => {
  let bench: StepBench;
  let orders: Registered;

  beforeAll(async () => {
    bench = await openStepBench();
  });
  afterEach(async () => orders?.shop.close());
  afterAll(async () => bench?.close());

  const text = () => readFile(orders.file, "utf8");
  const change = (login: string | undefined) => bench.issuer.ask(`ALTER ROLE ${login} PASSWORD '${newSecret()}'`);

  async function held() {
    const found = /DB_USER=(\S+)\nDB_PASSWORD=(\S+)/.exec(await text());
    return bench.issuer.logsIn(found?.[1] ?? "", found?.[2] ?? "", orders.database);
  }

  async function abortPromoted(attempts = 2): Promise<string> {
    orders = await bench.register({ policy: { graceMs: 60_000, attempts } });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "promoted");
    return rotationId;
  }

  it("invariant 1: the undo sets the former password again before the first consumer gets it back", async () => {
    const rotationId = await abortPromoted();
    await change(orders.logins[0]);
    await say(bench, rotationId, { kind: "abort" });
    await bench.take(rotationId, "preflight");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    expect(await held()).toBe("accepted");
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 1: a former version that cannot be made to work again is given to nobody", async () => {
    const rotationId = await abortPromoted();
    const delivered = await text();
    const [first] = orders.logins;
    await change(first);
    await bench.issuer.ask(`COMMENT ON ROLE ${first} IS 'rekey:{"mine":false}'`);
    await say(bench, rotationId, { kind: "abort" });
    await bench.take(rotationId, "preflight");
    await bench.carry(rotationId);
    const { hold } = await readRotation(bench, rotationId);
    expect(hold).toMatchObject({ code: "restore_failed", gaps: [{ key: `restore_failed:${orders.consumerId}` }] });
    expect(hold?.detail).toContain("Version 1");
    expect(hold?.detail).toContain("Nothing was delivered");
    expect(await text()).toBe(delivered);
    expect(await held()).toBe("accepted");
  });

  it("invariant 9: a former version that is shut out for a moment is asked again, and nobody is troubled", async () => {
    const rotationId = await abortPromoted(50);
    const [first] = orders.logins;
    await bench.issuer.ask(`ALTER ROLE ${first} CONNECTION LIMIT 0`);
    await say(bench, rotationId, { kind: "abort" });
    await bench.take(rotationId, "preflight");
    const row = async () => readRotation(bench, rotationId);
    while ((await row()).last_code === null) await bench.take(rotationId, "undo");
    expect(await row()).toMatchObject({ last_code: "restore_failed", hold: null });
    await bench.issuer.ask(`ALTER ROLE ${first} CONNECTION LIMIT -1`);
    await bench.carry(rotationId);
    expect(await row()).toMatchObject({ outcome: "undone" });
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("invariant 1: a candidate that is not accepted any more is delivered to nobody", async () => {
    orders = await bench.register({ policy: { attempts: 2 } });
    const before = await text();
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "issued");
    await change(orders.logins[1]);
    await bench.carry(rotationId);
    const row = await readRotation(bench, rotationId);
    expect(row).toMatchObject({ phase: "issued", hold: { code: "candidate_refused" } });
    expect(row.hold?.detail).toContain("Nothing was delivered");
    expect(await text()).toBe(before);
    await bench.answer(rotationId, "roll-back");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "undone" });
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
