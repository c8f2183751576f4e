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
    const first = await orders.rotate();
    await bench.reach(first, "closed");
    const older = await occupyByFirst(orders);
    const logins = await loginsOf(bench, orders);
    const asked = { versions: [2], contain: false, deadlineMs: 300_000, whenFull: "end-older" } as const;
    const { declared } = await meet(bench, orders, asked);
    expect(await orderOf(declared.rotationId ?? "")).toBe("overlap");
    expect(await troubles(bench, orders, logins, [2])).toEqual([]);
    expect(await older()).not.toBe("accepted");
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("ends the older one again where nobody heard that it was ended", async () => {
    const orders = await bench.register({ policy: patient });
    await bench.reach(await orders.rotate(), "closed");
    const asked = { versions: [2], contain: false, deadlineMs: 300_000, whenFull: "end-older" } as const;
    await occupyByFirst(orders);
    const { rotationId = "" } = await declare(bench, orders.credentialId, asked);
    expect(await bench.take(rotationId, "preflight")).toEqual({ now: "again" });
    await sql`
      UPDATE operations SET state = 'open', done_at = NULL
      WHERE rotation_id = ${rotationId} AND target = 'older:1'`.execute(bench.ledger.db);
    const older = await occupyByFirst(orders);
    const logins = await loginsOf(bench, orders);
    await carryAll(bench, orders.credentialId);
    expect(await troubles(bench, orders, logins, [2])).toEqual([]);
    expect(await older()).not.toBe("accepted");
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

/** Version 1, whose death a person took for granted, can log in after all. */
async function occupyByFirst({ logins, database, credentialId }: Registered): Promise<() => Promise<string>> {
  const [first = ""] = logins;
  const password = newSecret();
  await bench.issuer.ask(`ALTER ROLE "${first}" LOGIN PASSWORD '${password}'`);
  await sql`
    UPDATE versions SET state = 'accepted-unproven' WHERE credential_id = ${credentialId} AND number = 1`.execute(
    bench.ledger.db,
  );
  return async () => bench.issuer.logsIn(first, password, database);
}
