import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql } from "kysely";
import { register, type Registered } from "../harness/registered.ts";
import { answerHold, auditActions, untilPhase, versionsOf } from "../harness/say.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, untilHeld, untilLedger, type World } from "../harness/world.ts";

describe.runIf(hasTemporal)("trouble at the issuer", () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    await world.startWorker();
  });

  afterAll(async () => world?.close());

  const effects = async (rotationId: string) =>
    (await auditActions(world, rotationId)).filter((action) => action === "operation.intended");

  async function failuresOf(rotationId: string) {
    const { rows } = await sql<{ code: string; follows: string; why: string }>`
      SELECT details ->> 'code' AS code, details ->> 'follows' AS follows, details ->> 'why' AS why
      FROM audit WHERE rotation_id = ${rotationId} AND action = 'step.failed' ORDER BY id`.execute(world.ledger.db);
    return rows;
  }

  /** Roles and their attributes as the server's catalogue has them: whoever changed anything shows here. */
  const rolesOf = async ({ owner, logins }: Registered) =>
    world.issuer.ask(
      `SELECT a.*, (SELECT array_agg(roleid::regrole::text ORDER BY 1) FROM pg_auth_members WHERE member = a.oid) AS within
       FROM pg_authid a WHERE rolname IN (${[owner, ...logins].map((name) => `'${name}'`).join(",")}) ORDER BY rolname`,
    );

  /** While the server is away nobody gets in; all that an application must never meet is a refusal of its login. */
  async function endsProven(orders: Registered, rotationId: string): Promise<readonly string[]> {
    expect(await untilClosed(world, rotationId)).toMatchObject({ outcome: "proven" });
    expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "proven-dead" }, { state: "live" }]);
    expect(await world.issuer.logsIn(orders.logins[0] ?? "", orders.password, orders.database)).toBe("28P01");
    return (await orders.shop.close()).failures;
  }

  it("invariant 5: an issuer that goes away for long is asked again, then a person is; nothing was taken for dead", async () => {
    const orders = await register(world, { policy: { graceMs: 3_000 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await world.issuer.halt();
    try {
      const hold = await untilHeld(world, rotationId);
      expect(hold).toMatchObject({ code: "issuer_unreachable", phase: "promoted" });
      expect(hold.detail).toContain(`127.0.0.1:${world.issuer.port}`);
      expect(hold.detail).toContain("Check that the server runs");
      expect((await failuresOf(rotationId)).map(({ follows }) => follows)).toEqual([
        ...Array<string>(5).fill("retry"),
        "hold",
      ]);
      expect(await versionsOf(world, orders.credentialId)).toMatchObject([{ state: "live" }, { state: "live" }]);
    } finally {
      await world.issuer.resume();
    }
    await answerHold(world, rotationId, "retry");
    const failures = await endsProven(orders, rotationId);
    expect(failures.filter((code) => code.startsWith("28"))).toEqual([]);
  });

  it("invariant 5: an issuer that goes away while the old login is refused is no proof of a death", async () => {
    const orders = await register(world, { policy: { disabledForMs: 2_500 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "disabled");
    await world.issuer.halt();
    try {
      const hold = await untilHeld(world, rotationId);
      expect(hold.code).toBe("issuer_unreachable");
      expect((await versionsOf(world, orders.credentialId))[0]?.state).toBe("disabled");
    } finally {
      await world.issuer.resume();
    }
    await answerHold(world, rotationId, "retry");
    await endsProven(orders, rotationId);
  });

  it("invariant 9: an issuer that is back before its attempts are used up troubles nobody", async () => {
    const orders = await register(world, { policy: { graceMs: 3_000, attempts: 200 } });
    const rotationId = await orders.rotate();
    await untilPhase(world, rotationId, "promoted");
    await world.issuer.halt();
    try {
      await untilLedger(async () => ((await failuresOf(rotationId)).length > 2 ? true : undefined));
    } finally {
      await world.issuer.resume();
    }
    await endsProven(orders, rotationId);
    expect(await auditActions(world, rotationId)).not.toContain("hold.opened");
  });

  it("invariant 16: a login that does not exist holds before the first effect, with the statement that makes it", async () => {
    const orders = await register(world);
    const [, second = ""] = orders.logins;
    await world.issuer.ask(`DROP ROLE ${second}`);
    const before = await rolesOf(orders);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "principal_missing", phase: "reserved" });
    expect(hold.detail).toContain(second);
    expect(hold.detail).toMatch(/CREATE ROLE/);
    expect(await effects(rotationId)).toEqual([]);
    expect(await rolesOf(orders)).toEqual(before);
    await mend(hold.detail);
    await answerHold(world, rotationId, "retry");
    expect(await endsProven(orders, rotationId)).toEqual([]);
  });

  it("invariant 16: a login that owns objects holds before the first effect, with the statement that hands them over", async () => {
    const orders = await register(world);
    const [, second = ""] = orders.logins;
    await world.issuer.ask(`CREATE TABLE own (id int); ALTER TABLE own OWNER TO ${second}`, orders.database);
    const before = await rolesOf(orders);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "principal_owns_objects", phase: "reserved" });
    expect(hold.detail).toContain(`REASSIGN OWNED BY "${second}" TO "${orders.owner}";`);
    expect(await effects(rotationId)).toEqual([]);
    expect(await rolesOf(orders)).toEqual(before);
    await mend(hold.detail, orders.database);
    await answerHold(world, rotationId, "retry");
    expect(await endsProven(orders, rotationId)).toEqual([]);
  });

  it("invariant 16: a login that may do more than the owner role holds before the first effect, with the grant that is lacking", async () => {
    const orders = await register(world);
    const [first = ""] = orders.logins;
    await world.issuer.ask(`CREATE TABLE ledgers (id int); GRANT SELECT ON ledgers TO ${first}`, orders.database);
    const before = await rolesOf(orders);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "principal_mismatch", phase: "reserved" });
    expect(hold.detail).toContain(`GRANT SELECT ON TABLE public.ledgers TO ${orders.owner};`);
    expect(await effects(rotationId)).toEqual([]);
    expect(await rolesOf(orders)).toEqual(before);
    await mend(hold.detail, orders.database);
    await answerHold(world, rotationId, "retry");
    expect(await endsProven(orders, rotationId)).toEqual([]);
  });

  it("invariant 16: an attribute that the connection may not give holds before the first effect, with the statement for a superuser", async () => {
    const orders = await register(world);
    const [first = "", second = ""] = orders.logins;
    await world.issuer.ask(`ALTER ROLE ${first} BYPASSRLS`);
    const before = await rolesOf(orders);
    const rotationId = await orders.rotate();
    const hold = await untilHeld(world, rotationId);
    expect(hold).toMatchObject({ code: "principal_mismatch", phase: "reserved" });
    expect(hold.detail).toContain(`ALTER ROLE "${second}" BYPASSRLS;`);
    expect(await effects(rotationId)).toEqual([]);
    expect(await rolesOf(orders)).toEqual(before);
    await mend(hold.detail);
    await answerHold(world, rotationId, "retry");
    expect(await endsProven(orders, rotationId)).toEqual([]);
  });

  /** As an operator at night: the statements that the hold prints, and nothing else. */
  async function mend(detail: string, database = "postgres"): Promise<void> {
    const statements = detail.split("\n").filter((line) => /^[A-Z]{4,} .*;$/.test(line));
    expect(statements).not.toEqual([]);
    for (const statement of statements) await world.issuer.ask(statement, database);
  }

  it("invariant 5: a client that logs in again and again on the old login is shut out, and the death is proven", async () => {
    const orders = await register(world, { policy: { holdAfterMs: 400 } });
    const [login = ""] = orders.logins;
    const loop = reconnecting(login, orders);
    try {
      const rotationId = await orders.rotate();
      const hold = await untilHeld(world, rotationId);
      expect(JSON.stringify(hold.gaps)).toContain("stranger_seen");
      expect(hold.detail).toContain("nightly");
      await answerHold(world, rotationId, "accept");
      expect(await endsProven(orders, rotationId)).toEqual([]);
      // Still at it, and still refused.
      const refused = loop.refused();
      await untilLedger(async () => (loop.refused() > refused ? true : undefined));
      const left = await world.issuer.ask(`SELECT pid FROM pg_stat_activity WHERE usename = '${login}'`);
      expect(left).toEqual([]);
      expect(loop.accepted()).toBeGreaterThan(0);
    } finally {
      await loop.stop();
    }
  });

  /** Logs in, keeps the session, and comes back as soon as it is ended. */
  function reconnecting(login: string, orders: Registered) {
    let isOpen = true;
    let [accepted, refused] = [0, 0];
    const at = { database: orders.database, name: "nightly" };
    const running = (async () => {
      while (isOpen) {
        try {
          const client = await world.issuer.openSession(login, orders.password, at);
          accepted += 1;
          while (isOpen) await client.query("SELECT pg_sleep(0.05)");
        } catch {
          refused += 1;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    })();
    return {
      accepted: () => accepted,
      refused: () => refused,
      async stop() {
        isOpen = false;
        await running;
      },
    };
  }
});
