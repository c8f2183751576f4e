import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeCredentials } from "../test/harness/rows.ts";
import { transact } from "./database.ts";
import { newId } from "./new-id.ts";
import { storeConsumer } from "./registry.ts";
import { reserveRotations } from "./reserve-rotations.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const reserve = (...credentials: readonly string[]) =>
  reserveRotations(
    test.ledger,
    credentials.map((credentialId) => ({ credentialId, requestedBy: "tok_test", reason: "due" })),
  );

/** Two credentials over two connections that lead to one server and share one login. */
async function sharedLogin(): Promise<readonly [string, string]> {
  const shared = { identity: newId("connection"), principals: ["orders_a"] };
  const [one = ""] = await makeCredentials(test.ledger, 1, shared);
  const [two = ""] = await makeCredentials(test.ledger, 1, shared);
  return [one, two];
}

const setAdopted = (credentialId: string, version: 1 | null) =>
  sql`UPDATE credentials SET current_version = ${version} WHERE id = ${credentialId}`.execute(test.ledger.db);

describe("who may not rotate", () => {
  it("a credential whose value of today nobody gave: it says how to give it", async () => {
    const [id = ""] = await makeCredentials(test.ledger, 1);
    await sql`UPDATE credentials SET current_version = NULL WHERE id = ${id}`.execute(test.ledger.db);
    const { reserved, refused } = await reserve(id);
    expect(reserved).toEqual([]);
    expect(refused).toMatchObject([{ code: "not_adopted", detail: expect.stringContaining("rekey credential adopt") }]);
  });

  it("invariant 7: a login that an open rotation has: the answer names that rotation", async () => {
    const [one, two] = await sharedLogin();
    await setAdopted(two, null);
    const [first] = (await reserve(one)).reserved;
    await setAdopted(two, 1);
    const { reserved, refused } = await reserve(two);
    expect(reserved).toEqual([]);
    expect(refused).toMatchObject([{ code: "principal_busy" }]);
    expect(refused[0]?.detail).toContain(first?.rotationId);
    expect(refused[0]?.detail).toContain("orders_a");
  });

  it("invariant 7: a login that another adopted credential has; its fellows in the call are reserved", async () => {
    const [one, two] = await sharedLogin();
    const [other = ""] = await makeCredentials(test.ledger, 1);
    const { reserved, refused } = await reserve(one, two, other);
    expect(reserved).toMatchObject([{ credentialId: other, isNew: true }]);
    expect(new Map(refused.map(({ credentialId, code }) => [credentialId, code]))).toEqual(
      new Map([
        [one, "principal_claimed"],
        [two, "principal_claimed"],
      ]),
    );
    expect(refused.find(({ credentialId }) => credentialId === one)?.detail).toContain(`/${two} has too`);
  });

  it("invariant 7: two who share a login on one connection whose server is not known", async () => {
    const ids = await makeCredentials(test.ledger, 2, { principals: ["orders_b"] });
    await sql`
      UPDATE connections SET identity = NULL
      WHERE id IN (SELECT connection_id FROM credentials WHERE id = ANY(${[...ids]}))`.execute(test.ledger.db);
    const { refused } = await reserve(...ids);
    expect(refused.map(({ code }) => code)).toEqual(["principal_claimed", "principal_claimed"]);
  });

  it("invariant 19: a login with which another connection to the same server logs in", async () => {
    const identity = newId("connection");
    await makeCredentials(test.ledger, 1, { identity });
    const [id = ""] = await makeCredentials(test.ledger, 1, { identity, principals: ["admin"] });
    await sql`
      UPDATE connections SET admin_principal = 'second_admin'
      WHERE id = (SELECT connection_id FROM credentials WHERE id = ${id})`.execute(test.ledger.db);
    const { reserved, refused } = await reserve(id);
    expect(reserved).toEqual([]);
    expect(refused).toMatchObject([{ code: "principal_is_connection" }]);
  });
});

describe("what a reservation pins", () => {
  it("grows by the connection of a consumer that joins later, and keeps what it began with", async () => {
    const [id = ""] = await makeCredentials(test.ledger, 1);
    const { db } = test.ledger;
    await reserve(id);
    const { rows } = await sql<{ teamId: string; own: string; environmentId: string }>`
      SELECT team_id AS "teamId", connection_id AS own, environment_id AS "environmentId" FROM credentials
      WHERE id = ${id}`.execute(db);
    const { teamId = "", own = "", environmentId = "" } = rows[0] ?? {};
    await sql`UPDATE connections SET revision = 2 WHERE id = ${own}`.execute(db);
    const late = newId("connection");
    await sql`
      INSERT INTO connections (id, team_id, environment_id, name, kind, settings, admin_principal, revision)
      VALUES (${late}, ${teamId}, ${environmentId}, 'late', 'fake-cluster', '{}', '', 5)`.execute(db);
    const consumer = {
      id: newId("consumer"),
      credentialId: id,
      teamId,
      name: "late",
      kind: "fake-secret",
      target: late,
      config: {},
      evidence: { collectors: {} },
    };
    for (const connectionId of [late, own])
      await transact(test.ledger, async (trx) =>
        storeConsumer(trx, { ...consumer, connectionId }, { actor: "tok_test", isNew: true, changes: [] }),
      );
    const { rows: pinned } = await sql`SELECT pinned -> 'connections' AS all FROM rotations WHERE credential_id = ${id}
      `.execute(db);
    expect(pinned).toEqual([{ all: { [own]: 1, [late]: 5 } }]);
  });

  it("policy, and the revisions of the credential, every registered consumer and the connections of all, and the server", async () => {
    const [id = ""] = await makeCredentials(test.ledger, 1, { identity: "one server" });
    const consumer = newId("consumer");
    const { db } = test.ledger;
    await sql`UPDATE credentials SET revision = 4 WHERE id = ${id}`.execute(db);
    await sql`INSERT INTO targets (target) VALUES (${consumer})`.execute(db);
    await sql`
      INSERT INTO consumers (id, credential_id, team_id, name, kind, target, config, evidence, revision)
      SELECT ${consumer}, id, team_id, 'app', 'file', ${consumer}, '{}', '{}', 7 FROM credentials WHERE id = ${id}
      `.execute(db);
    const { rows: used } = await sql<{ own: string; other: string }>`
      WITH other AS (
        INSERT INTO connections (id, team_id, environment_id, name, kind, settings, admin_principal, revision)
        SELECT ${newId("connection")}, team_id, environment_id, 'cluster', 'fake-cluster', '{}', '', 3 FROM credentials
        WHERE id = ${id} RETURNING id)
      SELECT c.connection_id AS own, other.id AS other FROM credentials c, other WHERE c.id = ${id}`.execute(db);
    const { own = "", other = "" } = used[0] ?? {};
    await sql`UPDATE consumers SET connection_id = ${other} WHERE id = ${consumer}`.execute(db);
    await reserve(id);
    const { rows } = await sql`SELECT pinned, policy FROM rotations WHERE credential_id = ${id}`.execute(db);
    expect(rows).toEqual([
      {
        pinned: {
          credential: 4,
          connections: { [own]: 1, [other]: 3 },
          identity: "one server",
          consumers: { [consumer]: 7 },
        },
        policy: { graceMs: 0 },
      },
    ]);
  });
});
