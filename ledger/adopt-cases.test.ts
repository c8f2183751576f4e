import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeCredentials } from "../test/harness/rows.ts";
import { adoptCredential } from "./adoption.ts";
import { adoptVersion, readAdoptCase, type AdoptCase } from "./adopt-cases.ts";
import { readCheck } from "./checks.ts";

let test: TestLedger;
let server: string;

beforeAll(async () => {
  test = await withLedger();
});

beforeEach(() => {
  server = `server-${randomBytes(4).toString("hex")}`;
});

/** A credential that nobody has adopted, over a connection whose server nobody has seen. */
async function unknown(principals: readonly string[], admin = "admin"): Promise<string> {
  const [id = ""] = await makeCredentials(test.ledger, 1, { principals });
  const { db } = test.ledger;
  await sql`DELETE FROM versions WHERE credential_id = ${id}`.execute(db);
  await sql`UPDATE credentials SET current_version = NULL WHERE id = ${id}`.execute(db);
  await sql`
    UPDATE connections SET identity = NULL, admin_principal = ${admin}
    WHERE id = (SELECT connection_id FROM credentials WHERE id = ${id})`.execute(db);
  return id;
}

async function checkOf(credentialId: string): Promise<AdoptCase> {
  const put = () => Promise.resolve();
  const checkId = await adoptCredential(test.ledger, { credentialId, actor: "tok_test", put });
  const found = await readAdoptCase(test.ledger.db, checkId);
  if (found === undefined) throw new Error("no check");
  return found;
}

const adopt = (check: AdoptCase) =>
  adoptVersion(test.ledger, check, {
    identity: server,
    version: { versionId: check.version.versionId, handle: `${check.credentialId}#1` },
  });

async function stored(credentialId: string) {
  const { rows } = await sql`
    SELECT c.current_version, n.identity FROM credentials c JOIN connections n ON n.id = c.connection_id
    WHERE c.id = ${credentialId}`.execute(test.ledger.db);
  return rows[0];
}

async function nameOf(credentialId: string): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    SELECT t.name || '/' || c.name AS name FROM credentials c JOIN teams t ON t.id = c.team_id
    WHERE c.id = ${credentialId}`.execute(test.ledger.db);
  return rows[0]?.name ?? "";
}

describe("the server behind a connection, once a value was adopted over it", () => {
  it("is known, and the value is version 1", async () => {
    const id = await unknown(["orders_a"]);
    const check = await checkOf(id);
    await adopt(check);
    expect(await stored(id)).toEqual({ current_version: 1, identity: server });
    expect(await readCheck(test.ledger.db, "everything", check.checkId)).toMatchObject({ state: "done" });
  });

  it("invariant 19: is refused where another connection to it logs in as one of the credential's logins", async () => {
    await makeCredentials(test.ledger, 1, { identity: server });
    const id = await unknown(["admin"], "second_admin");
    await expect(adopt(await checkOf(id))).rejects.toMatchObject({
      code: "principal_is_connection",
      detail: expect.stringMatching(/names the login admin, which connection \w+\/orders logs in with/),
    });
    expect(await stored(id)).toEqual({ current_version: null, identity: null });
  });

  it("invariant 19: is refused where the connection logs in as a login that another credential has", async () => {
    const [other = ""] = await makeCredentials(test.ledger, 1, { identity: server, principals: ["stock_a"] });
    const id = await unknown(["orders_a"], "stock_a");
    const said = `logs in as stock_a, a login of credential ${await nameOf(other)}`;
    await expect(adopt(await checkOf(id))).rejects.toMatchObject({
      code: "principal_is_connection",
      detail: expect.stringContaining(said),
    });
    expect(await stored(id)).toEqual({ current_version: null, identity: null });
  });

  it("invariant 7: is refused where another credential has one of the logins, adopted or not", async () => {
    const [other = ""] = await makeCredentials(test.ledger, 1, { identity: server, principals: ["orders_b"] });
    const id = await unknown(["orders_a", "orders_b"]);
    const refusal = {
      code: "principal_claimed",
      detail: expect.stringContaining(`names the login orders_b, which credential ${await nameOf(other)} has too`),
    };
    await expect(adopt(await checkOf(id))).rejects.toMatchObject(refusal);
    await sql`UPDATE credentials SET current_version = NULL WHERE id = ${other}`.execute(test.ledger.db);
    await sql`UPDATE checks SET state = 'failed' WHERE subject_id = ${id}`.execute(test.ledger.db);
    await expect(adopt(await checkOf(id))).rejects.toMatchObject(refusal);
    expect(await stored(id)).toEqual({ current_version: null, identity: null });
  });

  it("invariant 19: is taken by one of two that are adopted at the same moment with the same login", async () => {
    const ids = [await unknown(["orders_c"]), await unknown(["orders_c"])];
    const checks = await Promise.all(ids.map(checkOf));
    const ended = await Promise.allSettled(checks.map(adopt));
    expect(ended.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  it("is asked for with the credential's lock first, so that an apply and it never wait in a circle", async () => {
    const id = await unknown(["orders_a"]);
    const check = await checkOf(id);
    const adopting = await test.ledger.db.transaction().execute(async (trx) => {
      await sql`SELECT FROM credentials WHERE id = ${id} FOR UPDATE`.execute(trx);
      const waiting = adopt(check);
      await untilBlocked();
      // What an apply does next; with NOWAIT it fails where the other has this lock already.
      await sql`SELECT FROM connections WHERE id = ${check.connection.id} FOR UPDATE NOWAIT`.execute(trx);
      return { waiting };
    });
    await adopting.waiting;
    expect(await stored(id)).toEqual({ current_version: 1, identity: server });
  });
});

async function untilBlocked(): Promise<void> {
  for (;;) {
    const { rows } = await sql`
      SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
      `.execute(test.ledger.db);
    if (rows.length > 0) return;
  }
}
