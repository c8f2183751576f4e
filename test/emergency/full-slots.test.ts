import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newSecret } from "../harness/postgres-issuer.ts";
import type { Registered } from "../harness/registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";
import { carryAll, declare, loginsOf, meet, openRotation, troubles } from "./scene.ts";

let bench: StepBench;

beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(async () => bench?.close());

const patient = { holdAfterMs: 300_000 };

/** Somebody, of whom rekey knows nothing, logs in by the other login of the pair. */
async function occupy({ logins, database }: Registered): Promise<() => Promise<string>> {
  const [, other = ""] = logins;
  const password = newSecret();
  await bench.issuer.ask(`ALTER ROLE "${other}" LOGIN PASSWORD '${password}'`);
  return async () => bench.issuer.logsIn(other, password, database);
}

const orderOf = async (rotationId: string): Promise<string> => (await bench.read(rotationId)).order;

const settingsOf = async (login: string): Promise<unknown> =>
  bench.issuer.ask(`SELECT rolconfig::text, rolconnlimit FROM pg_roles WHERE rolname = '${login}'`);

async function holdOf(credentialId: string): Promise<string | undefined> {
  const rotationId = await openRotation(bench, credentialId);
  return rotationId === undefined ? undefined : (await readRotation(bench, rotationId)).hold?.code;
}

const isHeld =
  ({ credentialId }: Registered) =>
  async (): Promise<boolean> =>
    (await holdOf(credentialId)) === "no_free_slot";

describe("an emergency where the issuer has no room for another version", () => {
  it("contains: what has leaked is dead before there is another, which takes its place", async () => {
    const orders = await bench.register({ policy: patient });
    const stranger = await occupy(orders);
    const [login = ""] = orders.logins;
    await bench.issuer.ask(
      `ALTER ROLE "${login}" SET statement_timeout = '7s'; ALTER ROLE "${login}" CONNECTION LIMIT 17`,
    );
    const before = await settingsOf(login);
    const logins = await loginsOf(bench, orders);
    const { declared } = await meet(bench, orders, { versions: [1], contain: true });
    expect(await orderOf(declared.rotationId ?? "")).toBe("contain-in-place");
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    expect(await settingsOf(login)).toEqual(before);
    expect(await stranger()).toBe("accepted");
    await orders.shop.close();
  });

  it("invariant 5: whoever got in by the old value before its login was let in again is ended", async () => {
    const orders = await bench.register({ policy: patient });
    const [login = ""] = orders.logins;
    const { password, database } = orders;
    await occupy(orders);
    const { rotationId = "" } = await declare(bench, orders.credentialId, { versions: [1], contain: true });
    await bench.reach(rotationId, "revoked");
    await bench.issuer.ask(`ALTER ROLE "${login}" LOGIN PASSWORD '${password}'`);
    await bench.issuer.openSession(login, password, { database, name: "late" });
    await bench.issuer.ask(`ALTER ROLE "${login}" NOLOGIN PASSWORD NULL`);
    expect(await bench.take(rotationId, "issue")).toEqual({ now: "done" });
    const late = await bench.issuer.ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'late'");
    expect(late).toEqual([]);
    await carryAll(bench, orders.credentialId);
    await orders.shop.close();
  });

  it("asks a person while consumers may not break, and contains in place once the time is over", async () => {
    const orders = await bench.register({ policy: patient });
    await occupy(orders);
    const logins = await loginsOf(bench, orders);
    const { rotationId = "" } = await declare(bench, orders.credentialId, { versions: [1], deadlineMs: 3_000 });
    await carryAll(bench, orders.credentialId, isHeld(orders));
    expect(await orderOf(rotationId)).toBe("overlap");
    await carryAll(bench, orders.credentialId);
    expect(await orderOf(rotationId)).toBe("contain-in-place");
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    await orders.shop.close();
  });

  it("goes in place at once where that was chosen", async () => {
    const orders = await bench.register({ policy: patient });
    await occupy(orders);
    const logins = await loginsOf(bench, orders);
    const asked = { versions: [1], contain: false, deadlineMs: 300_000, whenFull: "in-place" } as const;
    const { declared } = await meet(bench, orders, asked);
    expect(await orderOf(declared.rotationId ?? "")).toBe("contain-in-place");
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    await orders.shop.close();
  });

  it("asks a person where that was chosen, although it contains", async () => {
    const orders = await bench.register({ policy: patient });
    await occupy(orders);
    const [first] = await loginsOf(bench, orders);
    await declare(bench, orders.credentialId, { versions: [1], contain: true, whenFull: "hold" });
    await carryAll(bench, orders.credentialId, isHeld(orders));
    expect(await bench.issuer.logsIn(first?.user ?? "", first?.password ?? "", orders.database)).toBe("accepted");
    await orders.shop.close();
  });

  it("ends the older one, whose end nobody had seen, and breaks nobody", async () => {
    const orders = await bench.register({ policy: patient });
    const older = await letGo(orders);
    await older.comeBack(orders.password);
    const logins = await loginsOf(bench, orders);
    const asked = { versions: [2], contain: false, deadlineMs: 300_000, whenFull: "end-older" } as const;
    const { declared } = await meet(bench, orders, asked);
    expect(await orderOf(declared.rotationId ?? "")).toBe("overlap");
    expect(await troubles(bench, orders, logins, [2])).toEqual([]);
    expect(await older.logsIn(orders.password)).not.toBe("accepted");
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("ends the older one again where nobody heard that it was ended", async () => {
    const orders = await bench.register({ policy: patient });
    const older = await letGo(orders);
    await older.comeBack(orders.password);
    const asked = { versions: [2], contain: false, deadlineMs: 300_000, whenFull: "end-older" } as const;
    const { rotationId = "" } = await declare(bench, orders.credentialId, asked);
    expect(await bench.take(rotationId, "preflight")).toEqual({ now: "again" });
    await sql`
      UPDATE operations SET state = 'open', done_at = NULL
      WHERE rotation_id = ${rotationId} AND target = 'older:1'`.execute(bench.ledger.db);
    await older.comeBack(orders.password);
    const logins = await loginsOf(bench, orders);
    await carryAll(bench, orders.credentialId);
    expect(await troubles(bench, orders, logins, [2])).toEqual([]);
    expect(await older.logsIn(orders.password)).not.toBe("accepted");
    await orders.shop.close();
  });

  it("leaves alone who has been given the login of the older one since, and goes on without a choice", async () => {
    const orders = await bench.register({ policy: patient });
    const older = await letGo(orders);
    const theirs = newSecret();
    await older.comeBack(theirs);
    const logins = await loginsOf(bench, orders);
    const { declared } = await meet(bench, orders, { versions: [2], contain: true, whenFull: "end-older" });
    expect(await orderOf(declared.rotationId ?? "")).toBe("contain-in-place");
    expect(await older.logsIn(theirs)).toBe("accepted");
    expect(await troubles(bench, orders, logins, [2])).toEqual([]);
    await orders.shop.close();
  });

  it("goes in place where another installation has marked the other login", async () => {
    const orders = await bench.register({ policy: patient });
    const [, other = ""] = orders.logins;
    await bench.issuer.ask(`COMMENT ON ROLE "${other}" IS 'rekey:{"instance":"ins_other"}'`);
    const logins = await loginsOf(bench, orders);
    const { declared } = await meet(bench, orders, { versions: [1], contain: true });
    expect(await orderOf(declared.rotationId ?? "")).toBe("contain-in-place");
    expect(await troubles(bench, orders, logins, [1])).toEqual([]);
    await orders.shop.close();
  });

  it("asks before anything ends where the next version could not be made in place either", async () => {
    const orders = await bench.register({ policy: patient });
    await occupy(orders);
    const [login = ""] = orders.logins;
    const [first] = await loginsOf(bench, orders);
    const admin = await adminOf(orders);
    await bench.issuer.ask(`REVOKE ADMIN OPTION FOR "${login}" FROM "${admin}"`);
    const { rotationId = "" } = await declare(bench, orders.credentialId, { versions: [1], contain: true });
    await carryAll(bench, orders.credentialId, isHeld(orders));
    expect(await orderOf(rotationId)).toBe("contain-first");
    expect(await bench.issuer.logsIn(first?.user ?? "", first?.password ?? "", orders.database)).toBe("accepted");
    await orders.shop.close();
  });

  it("ends nothing for a candidate that was chosen for the other login, which somebody has taken since", async () => {
    const orders = await bench.register({ policy: patient });
    const [first] = await loginsOf(bench, orders);
    const rotationId = await orders.rotate();
    await bench.take(rotationId, "preflight");
    const [, other = ""] = orders.logins;
    await bench.issuer.ask(`ALTER ROLE "${other}" CONNECTION LIMIT 0`);
    await sql`UPDATE versions SET handle = ${`${other}/2`} WHERE credential_id = ${orders.credentialId} AND number = 2`.execute(
      bench.ledger.db,
    );
    await occupy(orders);
    await declare(bench, orders.credentialId, { versions: [1], contain: true });
    await carryAll(bench, orders.credentialId, isHeld(orders));
    expect(await bench.issuer.logsIn(first?.user ?? "", first?.password ?? "", orders.database)).toBe("accepted");
    await orders.shop.close();
  });

  it("never ends what rekey knows nothing of: without anything older it is as without a choice", async () => {
    const orders = await bench.register({ policy: patient });
    const stranger = await occupy(orders);
    await declare(bench, orders.credentialId, { versions: [1], deadlineMs: 300_000, whenFull: "end-older" });
    await carryAll(bench, orders.credentialId, isHeld(orders));
    expect(await stranger()).toBe("accepted");
    await orders.shop.close();
  });
});

/** Version 1 is given up without proof once version 2 is in use. */
async function letGo(orders: Registered) {
  const { logins, database } = orders;
  const [first = ""] = logins;
  const rotationId = await orders.rotate();
  await bench.reach(rotationId, "revoked");
  await sql`UPDATE rotations SET accepted_unproven = true WHERE id = ${rotationId}`.execute(bench.ledger.db);
  await bench.carry(rotationId);
  expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "closed-unproven" });
  return {
    comeBack: async (password: string) => bench.issuer.ask(`ALTER ROLE "${first}" LOGIN PASSWORD '${password}'`),
    logsIn: async (password: string) => bench.issuer.logsIn(first, password, database),
  };
}

async function adminOf({ credentialId }: Registered): Promise<string> {
  const { rows } = await sql<{ user: string }>`
    SELECT n.settings ->> 'user' AS user FROM credentials c JOIN connections n ON n.id = c.connection_id
    WHERE c.id = ${credentialId}`.execute(bench.ledger.db);
  return rows[0]?.user ?? "";
}
