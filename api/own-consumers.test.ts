import { sql } from "kysely";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeRotations } from "../ledger/close-rotations.ts";
import { transact } from "../ledger/database.ts";
import { adopted, holdRotations } from "../test/harness/api-rows.ts";
import { withApi, type TestAnswer, type TestApi } from "../test/harness/api.ts";
import { allow, approve, askedFor, clusteredCatalog, grantFor } from "../test/harness/asking-teams.ts";
import { withLedger } from "../test/harness/ledger.ts";

let api: TestApi;
let alder: TestApi;
/** Another token of the same team. */
let alderToo: TestApi;
let birch: TestApi;

const db = () => api.deps.ledger.db;
const teamToken = async (name: string) =>
  api.as("team", (await sql<{ id: string }>`SELECT id FROM teams WHERE name = ${name}`.execute(db())).rows[0]?.id);

async function rotate(): Promise<{ readonly id: string; readonly toVersion: number }> {
  const { json } = await api.ask("POST", "/credentials/alder%2Forders/rotate", {});
  return { id: String(json["id"]), toVersion: Number(json["toVersion"]) };
}
/** As if it had gone well. */
const closeRotation = (rotationId: string) =>
  transact(api.deps.ledger, (trx) => closeRotations(trx, [{ rotationId, outcome: "proven" }]));

const refusal = ({ json }: TestAnswer) => [json["code"], json["detail"]];

beforeAll(async () => {
  api = await withApi(await withLedger(), clusteredCatalog);
  await adopted(api, "orders", "alder");
  await adopted(api, "payments", "birch");
  await allow(api, "{ alder: [web], birch: [web] }");
  [alder, alderToo, birch] = [await teamToken("alder"), await teamToken("alder"), await teamToken("birch")];
});

let next = 0;
let name: string;
beforeEach(() => {
  name = `pods-${(next += 1)}`;
});
const mine = () => askedFor({ name, secret: name });

describe("a grant and an open rotation", () => {
  it("includes what is approved meanwhile, and what only waits blocks nothing", async () => {
    const { id: rotation } = await rotate();
    const consumersOf = async () =>
      ((await api.ask("GET", `/rotations/${rotation}`)).json["consumers"] as { ref: string }[]).map(({ ref }) => ref);
    const grant = await grantFor(alder, mine());
    expect(await consumersOf()).not.toContain(`alder/${name}`);
    expect((await alderToo.ask("GET", `/grants/${grant.id}`)).json).toMatchObject({ openRotation: rotation });
    await approve(alderToo, grant);
    expect(await consumersOf()).toContain(`alder/${name}`);
    const { rows } = await sql<{ pinned: Record<string, unknown>; id: string }>`
      SELECT r.pinned -> 'connections' AS pinned, n.id FROM rotations r, connections n
      WHERE r.id = ${rotation} AND n.name = 'cluster'`.execute(db());
    expect(Object.keys(rows[0]?.pinned ?? {})).toContain(rows[0]?.id);
    await closeRotation(rotation);
  });
});

describe("a team and its own consumers", () => {
  const retire = (who: TestApi, consumer: string, digest?: unknown) =>
    who.ask("POST", `/consumers/${encodeURIComponent(consumer)}/retire`, digest === undefined ? {} : { digest });

  it("retires one by the digest of what it was told, and nobody else's", async () => {
    await approve(alderToo, await grantFor(alder, mine()));
    const none = (await retire(birch, "alder/pods-0")).json;
    expect((await retire(birch, `alder/${name}`)).json).toEqual(none);
    const planned = await retire(alder, name);
    expect(planned.json).toMatchObject({ outcome: "planned", ref: `Consumer alder/${name}` });
    expect((await retire(alder, name, "0".repeat(64))).json).toMatchObject({ code: "plan_changed" });
    expect((await retire(alder, name, planned.json["digest"])).json).toMatchObject({ outcome: "deleted" });
    const { rows } = await sql`
      SELECT retired_at IS NOT NULL AS "isRetired" FROM consumers WHERE name = ${name}`.execute(db());
    expect(rows).toEqual([{ isRetired: true }]);
  });

  it("cannot retire one that an open rotation has delivered to, and acknowledges it there, as what was delivered", async () => {
    await approve(alderToo, await grantFor(alder, mine()));
    const acknowledge = (who: TestApi, version: number) =>
      who.ask("POST", `/consumers/${name}/acknowledge`, { version });
    expect(refusal(await acknowledge(alder, 2))).toEqual(["command_refused", expect.stringContaining("No rotation")]);
    const { id: rotation, toVersion } = await rotate();
    await holdRotations(api, rotation);
    expect(refusal(await acknowledge(alder, toVersion))).toEqual([
      "command_refused",
      expect.stringContaining("nothing to it"),
    ]);
    await sql`
      INSERT INTO deliveries (id, rotation_id, consumer_id, target, version, epoch, number, sequence)
      SELECT 'dlv_' || name, ${rotation}, id, target, ${toVersion}, 1, 1, nextval('ledger_sequence')
      FROM consumers WHERE name = ${name}`.execute(db());
    expect(refusal(await retire(alder, name))).toEqual(["delete_refused", expect.stringContaining(rotation)]);
    expect(refusal(await acknowledge(alder, 1))).toEqual([
      "command_refused",
      expect.stringContaining(`version ${toVersion}`),
    ]);
    expect((await acknowledge(birch, toVersion)).status).toBe(404);
    expect((await acknowledge(alder, toVersion)).json).toMatchObject({ isNew: true, rotationId: rotation });
    expect((await acknowledge(alderToo, toVersion)).json).toMatchObject({ isNew: false });
    const { rows } = await sql`
      SELECT kind, actor FROM commands WHERE rotation_id = ${rotation} AND kind = 'acknowledge'`.execute(db());
    expect(rows).toEqual([{ kind: "acknowledge", actor: alder.tokenId }]);
    await closeRotation(rotation);
  });
});
