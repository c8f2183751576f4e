import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  adoptFor,
  applyFor,
  initFor,
  makeOrdinaryLogin,
  paste,
  reserveFor,
  type OrdinaryLogin,
} from "../harness/ordinary-login.ts";
import { needs } from "../harness/needs.ts";
import { poolerMissing, startPooler, type Pooler, type PoolerUsers } from "../harness/pgbouncer.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("an application that comes through PgBouncer", () => {
  let bench: StepBench;
  const poolers: Pooler[] = [];

  beforeAll(async () => {
    bench = await openStepBench();
  });
  afterAll(async () => {
    for (const pooler of poolers) await pooler.stop();
    await bench.close();
  });

  async function pooled(users: PoolerUsers, settings: readonly string[] = []): Promise<Pooler> {
    const pooler = await startPooler(bench.issuer, users, settings);
    poolers.push(pooler);
    return pooler;
  }

  async function bringUnder(login: OrdinaryLogin): Promise<string> {
    const adminPassword = newSecret();
    const found = await initFor(bench, login);
    await paste(bench, found.steps, adminPassword);
    const credentialId = await applyFor(bench, found, adminPassword);
    expect(await adoptFor(bench, credentialId, login)).toMatchObject({ state: "done" });
    return credentialId;
  }

  it.for([
    ["refuses our start parameters", []],
    ["takes them and drops them", ["ignore_startup_parameters = options,extra_float_digits"]],
  ] as const)(
    "is told that a pooler answers, where init is given the address of one that %s",
    async (given, context) => {
      const [, settings] = given;
      needs(context, poolerMissing === undefined, poolerMissing ?? "");
      const pooler = await pooled({ asks: bench.issuer.superuser }, settings);
      const login = await makeOrdinaryLogin(bench);
      await expect(initFor(bench, login, pooler)).rejects.toThrow("answered by a pooler");
      await login.shop.close();
    },
  );

  it("invariant 1: is rotated without a failed statement where the pooler asks the server whom to let in", async (context) => {
    needs(context, poolerMissing === undefined, poolerMissing ?? "");
    const pooler = await pooled({ asks: bench.issuer.superuser });
    const login = await makeOrdinaryLogin(bench, undefined, pooler);
    const rotation = await reserveFor(bench, await bringUnder(login));
    await bench.carry(rotation);
    const { outcome, hold } = await readRotation(bench, rotation);
    expect({ outcome, hold: hold?.detail }).toEqual({ outcome: "proven", hold: undefined });
    expect((await login.shop.close()).failures).toEqual([]);
  });

  it("invariant 4: keeps its old login where the pooler has a list of its own that nobody brought the new one to", async (context) => {
    needs(context, poolerMissing === undefined, poolerMissing ?? "");
    const list: { user: string; password: string }[] = [];
    const plain = await makeOrdinaryLogin(bench);
    await plain.shop.close();
    list.push({ user: plain.name, password: plain.password });
    const pooler = await pooled({ list });
    const login = { ...plain, shop: await plain.reopen(pooler) };
    const rotation = await reserveFor(bench, await bringUnder(login));
    await bench.carry(rotation);
    const held = await readRotation(bench, rotation);
    expect(held).toMatchObject({ phase: "delivered", hold: { code: "evidence_missing" } });
    expect(await bench.issuer.logsIn(login.name, login.password, login.database)).toBe("accepted");
    await bench.answer(rotation, "roll-back");
    await bench.carry(rotation);
    expect(await readRotation(bench, rotation)).toMatchObject({ outcome: "undone" });
    await login.shop.close();
  });
});
