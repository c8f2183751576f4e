import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeCredentials } from "../test/harness/rows.ts";
import { transact } from "./database.ts";
import { learnIdentity } from "./learn-identity.ts";
import { newId } from "./new-id.ts";
import { storeConnection } from "./registry.ts";
import { reserveRotations } from "./reserve-rotations.ts";
import { readCases } from "./rotation-cases.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

interface ConnectionRow {
  readonly id: string;
  readonly team_id: string;
  readonly environment_id: string;
  readonly identity: string | null;
  readonly revision: number;
}

async function connectionOf(credentialId: string): Promise<ConnectionRow> {
  const { rows } = await sql<ConnectionRow>`
    SELECT n.* FROM connections n JOIN credentials c ON c.connection_id = n.id WHERE c.id = ${credentialId}
    `.execute(test.ledger.db);
  const [row] = rows;
  if (row === undefined) throw new Error("no connection");
  return row;
}

interface Edit {
  readonly settings: unknown;
  readonly pool?: string;
  readonly adminPrincipal?: string;
}

async function edit(credentialId: string, change: Edit) {
  const { id, team_id: teamId, environment_id: environmentId } = await connectionOf(credentialId);
  const { settings, pool = "default", adminPrincipal = "admin" } = change;
  const row = { id, teamId, environmentId, name: "orders", kind: "postgres-role", pool, settings };
  await transact(test.ledger, async (trx) =>
    storeConnection(trx, { ...row, adminPrincipal }, { actor: "tok_test", isNew: false, changes: [] }),
  );
}

async function reserve(credentialId: string) {
  const { reserved, refused } = await reserveRotations(test.ledger, [
    { credentialId, requestedBy: "tok_test", reason: "due" },
  ]);
  return { rotationId: reserved[0]?.rotationId ?? "", refused };
}

const caseOf = async (rotationId: string) => (await readCases(test.ledger.db, [rotationId])).get(rotationId);

async function learn(rotationId: string, credentialId: string, identity: string) {
  const { id, revision } = await connectionOf(credentialId);
  await learnIdentity(test.ledger, { rotationId, credentialId, connectionId: id, revision, identity });
}

describe("an edited address", () => {
  it("leads to a server that has to be learned again; another pool does not", async () => {
    const [id = ""] = await makeCredentials(test.ledger, 1, { identity: "old" });
    await edit(id, { settings: {}, pool: "other" });
    expect((await connectionOf(id)).identity).toBe("old");
    await edit(id, { settings: { host: "elsewhere" } });
    expect((await connectionOf(id)).identity).toBeNull();
  });

  it("keeps a running rotation at the server where it began", async () => {
    const [id = ""] = await makeCredentials(test.ledger, 1, { identity: "old", principals: [newId("connection")] });
    const { rotationId } = await reserve(id);
    await edit(id, { settings: { host: "elsewhere" } });
    expect(await caseOf(rotationId)).toMatchObject({ connection: { identity: "old", revision: 2 } });
    expect((await caseOf(rotationId))?.pinned.connections).toEqual({ [(await connectionOf(id)).id]: 1 });
  });

  it("lets the next rotation begin without a server, and keeps it to the one that its preflight finds", async () => {
    const [id = ""] = await makeCredentials(test.ledger, 1, { principals: [newId("connection")] });
    await edit(id, { settings: { host: "elsewhere" } });
    const { rotationId } = await reserve(id);
    expect((await caseOf(rotationId))?.connection.identity).toBeUndefined();
    await learn(rotationId, id, "new");
    expect((await connectionOf(id)).identity).toBe("new");
    await edit(id, { settings: { host: "a third" } });
    expect((await caseOf(rotationId))?.connection.identity).toBe("new");
  });

  it("is not learned from a look that began before it was edited once more", async () => {
    const [id = ""] = await makeCredentials(test.ledger, 1);
    await edit(id, { settings: { host: "elsewhere" } });
    const { rotationId } = await reserve(id);
    const { id: connectionId, revision } = await connectionOf(id);
    await edit(id, { settings: { host: "a third" } });
    const late = learnIdentity(test.ledger, { rotationId, credentialId: id, connectionId, revision, identity: "new" });
    await expect(late).rejects.toMatchObject({ code: "connection_changed" });
    expect((await connectionOf(id)).identity).toBeNull();
  });
});

describe("the logins on a server that is learned", () => {
  /** A credential with an open rotation over a connection whose new address nobody has seen. */
  async function moved(principals: readonly string[], adminPrincipal?: string) {
    const [id = ""] = await makeCredentials(test.ledger, 1, { principals });
    await edit(id, {
      settings: { host: "another name of the same" },
      ...(adminPrincipal === undefined ? {} : { adminPrincipal }),
    });
    return { id, rotationId: (await reserve(id)).rotationId };
  }

  it("invariant 19: are none that another connection logs in with", async () => {
    const identity = newId("connection");
    await makeCredentials(test.ledger, 1, { identity });
    const { id, rotationId } = await moved(["admin"], "second_admin");
    await expect(learn(rotationId, id, identity)).rejects.toMatchObject({ code: "principal_is_connection" });
    expect((await connectionOf(id)).identity).toBeNull();
  });

  it("invariant 19: are none that the connection itself logs in with", async () => {
    const identity = newId("connection");
    await makeCredentials(test.ledger, 1, { identity, principals: ["orders_c"] });
    const { id, rotationId } = await moved(["orders_d"], "orders_c");
    await expect(learn(rotationId, id, identity)).rejects.toMatchObject({ code: "principal_is_connection" });
    expect((await connectionOf(id)).identity).toBeNull();
  });

  it("invariant 7: are none that another credential has", async () => {
    const shared = { identity: newId("connection"), principals: ["orders_a"] };
    await makeCredentials(test.ledger, 1, shared);
    const { id, rotationId } = await moved(shared.principals);
    await expect(learn(rotationId, id, shared.identity)).rejects.toMatchObject({ code: "principal_claimed" });
    expect((await connectionOf(id)).identity).toBeNull();
  });

  it("invariant 7: are none that a rotation still uses, whoever has them now", async () => {
    const shared = { identity: newId("connection"), principals: ["orders_a"] };
    const [one = ""] = await makeCredentials(test.ledger, 1, shared);
    await reserve(one);
    await sql`UPDATE credentials SET principals = '{}' WHERE id = ${one}`.execute(test.ledger.db);
    const { id, rotationId } = await moved(shared.principals);
    await expect(learn(rotationId, id, shared.identity)).rejects.toMatchObject({ code: "principal_busy" });
    expect((await connectionOf(id)).identity).toBeNull();
  });
});
