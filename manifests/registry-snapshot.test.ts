import { sql, type KyselyPlugin } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { transact } from "../ledger/database.ts";
import { newId } from "../ledger/new-id.ts";
import { askedFor } from "../test/harness/asking-teams.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeCredentials } from "../test/harness/rows.ts";
import { readManifests } from "./read-manifests.ts";
import { readSnapshot, type AskingTeam } from "./registry-snapshot.ts";

let test: TestLedger;
let asking: AskingTeam;
let others: AskingTeam;

/** A team with so many credentials of made-up names, one called `orders`, and one connection called the same. */
async function teamWith(name: string, credentials: number): Promise<AskingTeam> {
  const [first = ""] = await makeCredentials(test.ledger, credentials);
  const { db } = test.ledger;
  await sql`UPDATE credentials SET name = 'orders' WHERE id = ${first}`.execute(db);
  const { rows } = await sql<AskingTeam>`
    UPDATE teams t SET name = ${name} FROM credentials c WHERE c.team_id = t.id AND c.id = ${first}
    RETURNING t.id, t.name`.execute(db);
  const [team] = rows;
  if (team === undefined) throw new Error("no team");
  return team;
}

beforeAll(async () => {
  test = await withLedger();
  asking = await teamWith("alder", 3);
  others = await teamWith("birch", 3_000);
});

/** The snapshot for one consumer, and how much of the ledger was read for it, in characters of JSON. */
async function read(asks: Parameters<typeof askedFor>[0], by: AskingTeam | undefined) {
  let size = 0;
  const count: KyselyPlugin = {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      size += JSON.stringify(result.rows).length;
      return Promise.resolve(result);
    },
  };
  const text = askedFor({ team: asking.name, ...asks });
  const manifests = readManifests([{ name: "asked.yaml", text }]).manifests.map(({ manifest }) => manifest);
  expect(manifests).toHaveLength(1);
  const snapshot = await transact(test.ledger, (trx) => readSnapshot(trx.withPlugin(count), manifests, by));
  return { snapshot, size };
}

describe("what is read while the registry is locked", () => {
  it("is no more than what is named, and what may have been meant by a name that nothing has", async () => {
    for (const by of [undefined, asking]) {
      const known = await read({ connection: `${asking.name}/orders` }, by);
      expect(known.snapshot.credentials.size).toBe(1);
      expect(known.snapshot.credentialNames).toEqual([]);
      expect(known.size).toBeLessThan(5_000);
    }
    const typed = { credential: `${others.name}/ordesr`, connection: `${others.name}/ordesr` };
    const mistyped = await read(typed, undefined);
    expect(mistyped.snapshot.credentialNames).toContain(`${others.name}/orders`);
    expect(mistyped.snapshot.credentialNames.length).toBeLessThanOrEqual(300);
    expect(mistyped.snapshot.connectionNames).toEqual([`${others.name}/orders`]);
  });

  it("finds the name in another team, whose it was", async () => {
    const { snapshot } = await read({ credential: "none/orders" }, undefined);
    expect(snapshot.credentialNames).toEqual([`${asking.name}/orders`, `${others.name}/orders`].toSorted());
  });

  it("is for a team nothing of another's, but what that has shared with it", async () => {
    const typed = { credential: `${others.name}/ordesr`, connection: `${others.name}/ordesr` };
    const { snapshot } = await read(typed, asking);
    expect(snapshot.credentialNames).toHaveLength(3);
    for (const name of snapshot.credentialNames) expect(name).toContain(`${asking.name}/`);
    expect(snapshot.connectionNames).toEqual([]);
    const { db } = test.ledger;
    await sql`
      INSERT INTO credential_shares (credential_id, team, team_id, shared_by)
      SELECT id, ${asking.name}, ${asking.id}, ${newId("token")} FROM credentials
      WHERE team_id = ${others.id} AND name = 'orders'`.execute(db);
    expect((await read(typed, asking)).snapshot.credentialNames).toContain(`${others.name}/orders`);
    const shared = await read({ credential: `${others.name}/orders`, connection: `${asking.name}/orders` }, asking);
    expect([...shared.snapshot.credentials.keys()]).toEqual([`${others.name}/orders`]);
  });
});
