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

async function edit(credentialId: string, change: { readonly settings: unknown; readonly pool?: string }) {
  const { id, team_id: teamId, environment_id: environmentId } = await connectionOf(credentialId);
  const { settings, pool = "default" } = change;
  const row = { id, teamId, environmentId, name: "orders", kind: "postgres-role", pool, settings };
  await transact(test.ledger, async (trx) =>
    storeConnection(trx, { ...row, adminPrincipal: "admin" }, { actor: "tok_test", isNew: false, changes: [] }),
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
  await learnIdentity(test.ledger, { rotationId, connectionId: id, revision, identity });
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
    expect((await caseOf(rotationId))?.pinned.connection).toBe(1);
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
    const late = learnIdentity(test.ledger, { rotationId, connectionId, revision, identity: "new" });
    await expect(late).rejects.toMatchObject({ code: "connection_changed" });
    expect((await connectionOf(id)).identity).toBeNull();
  });
});

describe("invariant 7: one rotation for each login of a server", () => {
  it("holds when the server is learned, over another connection", async () => {
    const shared = { identity: newId("connection"), principals: ["orders_a"] };
    const [one = ""] = await makeCredentials(test.ledger, 1, shared);
    const [two = ""] = await makeCredentials(test.ledger, 1, { principals: ["orders_a"] });
    await reserve(one);
    await edit(two, { settings: { host: "another name of the same" } });
    const { rotationId } = await reserve(two);
    await expect(learn(rotationId, two, shared.identity)).rejects.toMatchObject({ code: "principal_busy" });
    expect((await connectionOf(two)).identity).toBeNull();
  });

  it("holds within the connection while its server is not known", async () => {
    const [one = "", two = ""] = await makeCredentials(test.ledger, 2, { principals: ["orders_b"] });
    await edit(one, { settings: { host: "elsewhere" } });
    await reserve(one);
    expect((await reserve(two)).refused).toMatchObject([{ code: "principal_busy" }]);
  });
});
