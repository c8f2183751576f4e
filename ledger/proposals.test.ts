import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeCredentials, makeRotations } from "../test/harness/rows.ts";
import { listProposals } from "./proposal-views.ts";
import {
  clientKey,
  closeProposals,
  dismissProposal,
  mostOpen,
  readOpenProposals,
  readProposalIds,
  recordProposals,
} from "./proposals.ts";

let test: TestLedger;
beforeAll(async () => {
  test = await withLedger();
});

const report = { principal: "orders_a", database: "orders", address: "10.0.0.9", applicationName: "report" };

const one = async () => (await makeCredentials(test.ledger, 1))[0] ?? "";
const listed = async (credentialId: string, onlyOpen = false) =>
  listProposals(test.ledger.db, { scope: "everything", credentialId, onlyOpen, limit: 1_000 });
const record = async (credentialId: string, ...seen: readonly (typeof report)[]) =>
  recordProposals(test.ledger, { credentialId }, seen);
const events = async (credentialId: string) =>
  (
    await sql<{ action: string }>`
    SELECT action FROM audit WHERE credential_id = ${credentialId} AND action LIKE 'proposal.%' ORDER BY id`.execute(
      test.ledger.db,
    )
  ).rows.map(({ action }) => action);

async function addConsumer(credentialId: string): Promise<string> {
  const id = `con_${credentialId.slice(4)}`;
  await sql`INSERT INTO targets (target) VALUES (${id})`.execute(test.ledger.db);
  await sql`
    INSERT INTO consumers (id, credential_id, team_id, name, kind, target, config, evidence)
    SELECT ${id}, c.id, c.team_id, 'report', 'file', ${id}, '{}', '{"collectors": {"sessions": {"database": "orders"}}}'
    FROM credentials c WHERE c.id = ${credentialId}`.execute(test.ledger.db);
  return id;
}

describe("who was seen and is not registered", () => {
  it("is one proposal, however many sessions and looks show it, with when it was seen first and last", async () => {
    const credentialId = await one();
    await record(credentialId, report, report);
    const [first] = await listed(credentialId);
    await record(credentialId, { ...report, principal: "orders_b" });
    const [again, ...more] = await listed(credentialId);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ ...report, samples: 1, state: "open", rotation: null });
    expect(again).toMatchObject({ id: first?.id, principal: "orders_b", samples: 2, firstSeenAt: first?.firstSeenAt });
    expect(again?.lastSeenAt.getTime()).toBeGreaterThanOrEqual(first?.lastSeenAt.getTime() ?? Infinity);
    expect(await events(credentialId)).toEqual(["proposal.opened"]);
  });

  it("is another for another database, address or application, each found by what it is", async () => {
    const credentialId = await one();
    const others = [
      { ...report, database: "stock" },
      { ...report, address: "10.0.0.10" },
      { ...report, applicationName: "" },
    ];
    await record(credentialId, report, ...others);
    const ids = await readProposalIds(test.ledger.db, credentialId);
    expect(new Set([report, ...others].map((each) => ids.get(clientKey(each)))).size).toBe(4);
    expect(ids.size).toBe(4);
  });

  it("names the rotation in which it was last seen, and a look outside of any forgets none", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    const { rows } = await sql<{ credential_id: string }>`
      SELECT credential_id FROM rotations WHERE id = ${rotationId}`.execute(test.ledger.db);
    const credentialId = rows[0]?.credential_id ?? "";
    await recordProposals(test.ledger, { credentialId, rotationId }, [report]);
    await record(credentialId, report);
    expect(await listed(credentialId)).toMatchObject([{ rotation: rotationId, samples: 2 }]);
  });

  it("is kept up to a bound, for a client may call itself anything each time", async () => {
    const credentialId = await one();
    const named = (number: number) => ({ ...report, applicationName: `report ${number}` });
    await record(credentialId, ...Array.from({ length: mostOpen - 1 }, (_, at) => named(at)));
    await record(credentialId, named(1_000), named(1_001), named(0));
    const found = await listed(credentialId);
    expect(found).toHaveLength(mostOpen);
    expect(found.find(({ applicationName }) => applicationName === "report 0")?.samples).toBe(2);
  });

  it("is closed by the consumer that explains it, and open again when it is a stranger again", async () => {
    const credentialId = await one();
    await record(credentialId, report);
    expect(
      (await readOpenProposals(test.ledger.db, { after: "", atMost: 1_000 })).some(
        (each) => each.credentialId === credentialId,
      ),
    ).toBe(false);
    const consumerId = await addConsumer(credentialId);
    const open = (await readOpenProposals(test.ledger.db, { after: "", atMost: 1_000 })).filter(
      (each) => each.credentialId === credentialId,
    );
    expect(open).toMatchObject([
      { ...report, consumers: [{ id: consumerId, collectors: { sessions: { database: "orders" } } }] },
    ]);
    const explained = open.map(({ id }) => ({ id, consumerId }));
    await closeProposals(test.ledger, explained);
    await closeProposals(test.ledger, explained);
    expect(await listed(credentialId, true)).toEqual([]);
    expect(await listed(credentialId)).toMatchObject([
      { state: "registered", consumer: expect.stringMatching("/report$") },
    ]);
    await record(credentialId, report);
    expect(await listed(credentialId)).toMatchObject([{ state: "open", consumer: null, samples: 2 }]);
    expect(await events(credentialId)).toEqual(["proposal.opened", "proposal.registered", "proposal.opened"]);
  });

  it("stays dismissed when it is seen again, and that is counted; the first dismissal stands", async () => {
    const credentialId = await one();
    await record(credentialId, report);
    const id = (await listed(credentialId))[0]?.id ?? "";
    expect(await dismissProposal(test.ledger, { id, actor: "tok_ada", reason: "the yearly audit" })).toBe(true);
    expect(await dismissProposal(test.ledger, { id, actor: "tok_bob", reason: "mine" })).toBe(false);
    await record(credentialId, report);
    expect(await listed(credentialId)).toMatchObject([
      { state: "dismissed", dismissedBy: "tok_ada", reason: "the yearly audit", samples: 2 },
    ]);
    expect(await listed(credentialId, true)).toEqual([]);
    expect(await events(credentialId)).toEqual(["proposal.opened", "proposal.dismissed"]);
  });
});
