import { setTimeout as pause } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { consultOracle, type Ended } from "../harness/oracle.ts";
import { register } from "../harness/registered.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, type World } from "../harness/world.ts";

/** A fault that somebody makes, and how the world becomes as it was. */
interface Plant {
  readonly what: string;
  readonly says: string;
  make(ended: Ended): Promise<() => Promise<unknown>>;
}

/** Of the audit tables, which refuse a change by themselves. */
async function behindTriggers({ ledger }: World, text: string): Promise<void> {
  await ledger.db.transaction().execute(async (trx) => {
    await sql`SET LOCAL session_replication_role = replica`.execute(trx);
    await sql.raw(text).execute(trx);
  });
}

const statement = async ({ ledger }: World, text: string): Promise<unknown> => sql.raw(text).execute(ledger.db);

const inLedger = (make: (ended: Ended) => string, undo: (ended: Ended) => string) => async (ended: Ended) => {
  await statement(ended.world, make(ended));
  return async () => statement(ended.world, undo(ended));
};

const atIssuer = (make: (ended: Ended) => string, undo: (ended: Ended) => string) => async (ended: Ended) => {
  await ended.world.issuer.ask(make(ended));
  return async () => ended.world.issuer.ask(undo(ended));
};

const oldLogin = ({ orders }: Ended): string => orders.logins[0] ?? "";
const newLogin = ({ orders }: Ended): string => orders.logins[1] ?? "";
const newPassword = ({ orders }: Ended): string => orders.shop.report().held.at(-1)?.password ?? "";
const mark = ({ orders }: Ended): string => orders.applicationName.replace("shop-", "");

/** What stands in the ledger as plain text, as base64 within a longer text, and as hex. */
const leak = (form: (password: string) => string) =>
  inLedger(
    (ended) => `UPDATE rotations SET reason = '${form(newPassword(ended))}' WHERE id = '${ended.rotationId}'`,
    ({ rotationId }) => `UPDATE rotations SET reason = '' WHERE id = '${rotationId}'`,
  );

const changedMark = (ended: Ended, from: string, to: string): string => `
  DO $$ BEGIN EXECUTE format('COMMENT ON ROLE ${newLogin(ended)} IS %L', (
    SELECT replace(shobj_description(oid, 'pg_authid'), '${from}', '${to}') FROM pg_authid
    WHERE rolname = '${newLogin(ended)}')); END $$`;

const plants: readonly Plant[] = [
  {
    what: "a role that nobody knows",
    says: "invariant 2: the role stranger_",
    make: atIssuer(
      (ended) => `CREATE ROLE stranger_${mark(ended)} LOGIN PASSWORD 'x'`,
      (ended) => `DROP ROLE stranger_${mark(ended)}`,
    ),
  },
  {
    what: "the ended login that can log in again",
    says: "invariant 2: ",
    make: atIssuer(
      (ended) => `ALTER ROLE ${oldLogin(ended)} LOGIN PASSWORD 'other'`,
      (ended) => `ALTER ROLE ${oldLogin(ended)} NOLOGIN PASSWORD NULL`,
    ),
  },
  {
    what: "the old password that is accepted still",
    says: "invariant 5: the ended login",
    make: atIssuer(
      (ended) => `ALTER ROLE ${oldLogin(ended)} LOGIN PASSWORD '${ended.orders.password}'`,
      (ended) => `ALTER ROLE ${oldLogin(ended)} NOLOGIN PASSWORD NULL`,
    ),
  },
  {
    what: "a session on the ended login",
    says: "invariant 5: 1 sessions",
    async make({ world, orders }) {
      const [old = ""] = orders.logins;
      await world.issuer.ask(`ALTER ROLE ${old} LOGIN PASSWORD 'for-a-moment'`);
      const session = await world.issuer.openSession(old, "for-a-moment", { database: orders.database });
      await world.issuer.ask(`ALTER ROLE ${old} NOLOGIN PASSWORD NULL`);
      return async () => session.end();
    },
  },
  {
    what: "a login in force that is not the one in the consumer's file",
    says: "invariant 3: what the consumer's file holds",
    make: atIssuer(
      (ended) => `ALTER ROLE ${newLogin(ended)} PASSWORD 'other'`,
      (ended) => `ALTER ROLE ${newLogin(ended)} PASSWORD '${newPassword(ended)}'`,
    ),
  },
  {
    what: "a server that accepts anything",
    says: "invariant 3: a wrong password",
    make: atIssuer(
      (ended) => `GRANT trusted TO ${newLogin(ended)}`,
      (ended) => `REVOKE trusted FROM ${newLogin(ended)}`,
    ),
  },
  { what: "a password in a row", says: "invariant 6: a value", make: leak((password) => `so ${password} it is`) },
  {
    what: "a password in a row, within base64",
    says: "invariant 6: a value",
    make: leak((password) => Buffer.from(`"p":${password}`).toString("base64")),
  },
  {
    what: "a password in a row, as hex",
    says: "invariant 6: a value",
    make: leak((password) => Buffer.from(password).toString("hex")),
  },
  {
    what: "a command that nobody has heard",
    says: "invariant 9: 1 commands",
    make: inLedger(
      ({ rotationId }) =>
        `INSERT INTO commands (id, rotation_id, kind, actor) VALUES ('p', '${rotationId}', 'abort', 'x')`,
      () => "DELETE FROM commands WHERE id = 'p'",
    ),
  },
  {
    what: "a start that nobody has taken",
    says: "invariant 9: 1 starts",
    make: inLedger(
      ({ rotationId }) => `INSERT INTO starts (rotation_id) VALUES ('${rotationId}')`,
      ({ rotationId }) => `DELETE FROM starts WHERE rotation_id = '${rotationId}'`,
    ),
  },
  {
    what: "a hold that waits",
    says: "invariant 9: 1 holds",
    make: inLedger(
      ({ rotationId }) =>
        `INSERT INTO holds (id, rotation_id, number, phase, code, detail) VALUES ('p', '${rotationId}', 9, 'issued', 'internal', '')`,
      () => "DELETE FROM holds WHERE id = 'p'",
    ),
  },
  {
    what: "an intent of which nobody says what became of it",
    says: "invariant 9: the rotation is closed and its intent of revoke is open",
    make: inLedger(
      ({ rotationId }) =>
        `UPDATE operations SET state = 'open' WHERE rotation_id = '${rotationId}' AND step = 'revoke'`,
      ({ rotationId }) =>
        `UPDATE operations SET state = 'done' WHERE rotation_id = '${rotationId}' AND step = 'revoke'`,
    ),
  },
  {
    what: "a value that is kept although its version is dead",
    says: "invariant 3: version 1 is proven-dead and its value is kept",
    make: inLedger(
      ({ orders }) =>
        `INSERT INTO custody_values
         SELECT replace(key, '/2/', '/1/'), format, key_id, key_check, wrap_nonce, wrapped_key, nonce, ciphertext
         FROM custody_values WHERE key LIKE '%${orders.credentialId}/2/%'`,
      ({ orders }) => `DELETE FROM custody_values WHERE key LIKE '%${orders.credentialId}/1/%'`,
    ),
  },
  {
    what: "a mark that names another version",
    says: "names version 7",
    make: atIssuer(
      (ended) => changedMark(ended, '"version":2', '"version":7'),
      (ended) => changedMark(ended, '"version":7', '"version":2'),
    ),
  },
  {
    what: "a changed audit row",
    says: "invariant 15: the audit trail does not verify",
    async make({ world, rotationId }) {
      const where = `WHERE rotation_id = '${rotationId}' AND action = 'rotation.issued'`;
      await behindTriggers(world, `UPDATE audit SET actor = actor || '!' ${where}`);
      return async () => behindTriggers(world, `UPDATE audit SET actor = rtrim(actor, '!') ${where}`);
    },
  },
  {
    what: "a death with no control beside the refusal",
    says: "invariant 5: version 1 is called dead by 28P01 with no control beside it",
    async make({ world, rotationId }) {
      const where = `WHERE rotation_id = '${rotationId}' AND action = 'version.proven-dead'`;
      const swap = (from: string, to: string) =>
        `UPDATE audit SET details = replace(details::text, '${from}', '${to}')::jsonb ${where}`;
      await behindTriggers(world, swap(": accepted", ": 28000"));
      return async () => behindTriggers(world, swap(": 28000", ": accepted"));
    },
  },
  {
    what: "an effect without its audit row",
    says: "invariant 15: the intent of disable has 0 audit rows",
    make: inLedger(
      ({ rotationId }) =>
        `INSERT INTO operations (id, rotation_id, step, target, claim_epoch, claim_number) VALUES ('p', '${rotationId}', 'disable', 'x', 1, 1)`,
      () => "DELETE FROM operations WHERE id = 'p'",
    ),
  },
];

describe.runIf(hasTemporal)("the oracle of the crash matrix", () => {
  let world: World;
  let connection: Connection;
  let ended: Ended;
  let clean: readonly string[];

  beforeAll(async () => {
    world = await openWorld();
    const worker = await world.startWorker();
    connection = await Connection.connect({ address: world.temporalAddress });
    const orders = await register(world);
    const rotationId = await orders.rotate();
    await untilClosed(world, rotationId);
    ended = { world, temporal: new Client({ connection }), orders, rotationId, order: "overlap", outcome: "proven" };
    // Whatever is sealed or completed after the end needs the worker still.
    clean = await consultOracle(ended);
    await worker.stop();
  });

  afterAll(async () => {
    await connection?.close();
    await world?.close();
  });

  it("finds nothing wrong with a rotation that went well", () => {
    expect(clean).toEqual([]);
  });

  it.each(plants)("sees $what", async ({ make, says }) => {
    const undo = await make(ended);
    const breaches = await consultOracle(ended);
    await undo();
    expect(breaches.join("\n")).toContain(says);
  });

  it("finds nothing once all that was planted is gone", async () => {
    expect(await consultOracle(ended)).toEqual([]);
  });

  it("sees an outcome that is not the wanted one, and phases that were never reached", async () => {
    const breaches = await consultOracle({ ...ended, outcome: "undone" });
    expect(breaches).toEqual(["invariant 9: the rotation ended as proven."]);
    const others = await consultOracle({ ...ended, order: "single-slot" });
    expect(others.join("\n")).toContain("invariant 15: the phase cut has 0 audit rows.");
  });

  it("sees what the sentinel noticed", async () => {
    const worker = await world.startWorker();
    const orders = await register(world);
    await worker.stop();
    // Before so many logins the oracle says that the sentinel has seen nothing.
    while (orders.shop.report().logins < 10) await pause(20);
    await world.issuer.ask(`ALTER ROLE ${orders.logins[0]} PASSWORD 'other'`);
    while (orders.shop.report().failures.length === 0) await pause(20);
    const breaches = await consultOracle({ ...ended, orders });
    expect(breaches.join("\n")).toContain("invariant 1: with the login 1 in its file the application met 28P01.");
  });
});
