import { randomUUID } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { closeRotations } from "../ledger/close-rotations.ts";
import { transact } from "../ledger/database.ts";
import { adopted, register } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import {
  allow,
  approve,
  ask,
  askedFor,
  clusteredCatalog,
  grantFor,
  placeAskedFor,
} from "../test/harness/asking-teams.ts";
import { withLedger } from "../test/harness/ledger.ts";

let api: TestApi;
let alder: TestApi;
/** Another token of the same team. */
let alderToo: TestApi;
let operator: TestApi;

const db = () => api.deps.ledger.db;
const teamId = async (name: string) =>
  (await sql<{ id: string }>`SELECT id FROM teams WHERE name = ${name} AND retired_at IS NULL`.execute(db())).rows[0]
    ?.id ?? "";
const rotate = async (ref: string) =>
  String((await api.ask("POST", `/credentials/${encodeURIComponent(ref)}/rotate`, {})).json["id"]);

interface Registered {
  readonly id: string;
  readonly target: string;
  readonly retired: boolean;
}

async function consumers(name: string): Promise<readonly Registered[]> {
  const { rows } = await sql<Registered>`
    SELECT id, target, retired_at IS NOT NULL AS retired FROM consumers WHERE name = ${name} ORDER BY id`.execute(db());
  return rows;
}

const shown = async (id: string, who = api) => (await who.ask("GET", `/grants/${id}`)).json;
const refusal = (answer: { readonly json: Record<string, unknown> }) => [answer.json["code"], answer.json["detail"]];

beforeAll(async () => {
  api = await withApi(await withLedger(), clusteredCatalog);
  await adopted(api, "orders", "alder");
  await adopted(api, "payments", "birch");
  await allow(api, "{ alder: [web], birch: [web] }");
  alder = await api.as("team", await teamId("alder"));
  alderToo = await api.as("team", await teamId("alder"));
  operator = await api.as("operator");
});

let next = 0;
let name: string;
beforeEach(() => {
  name = `pods-${(next += 1)}`;
});
/** Each with a place of its own. */
const mine = (more: Parameters<typeof askedFor>[0] = {}) => askedFor({ name, secret: name, ...more });

describe("a consumer that a team's token asks for", () => {
  it("waits, and is nowhere registered, until another token of the owning team approves its digest", async () => {
    const grant = await grantFor(alder, mine());
    expect(await consumers(name)).toEqual([]);
    expect(await shown(grant.id, alderToo)).toMatchObject({
      state: "pending",
      digest: grant.digest,
      requestedBy: alder.tokenId,
      content: {
        action: "create",
        consumer: `alder/${name}`,
        credential: "alder/orders",
        connection: "platform/cluster",
        target: `fake-secret:/srv/cluster/web/${name}`,
        config: { space: "web", secret: name, keys: { DB_PASSWORD: "password" } },
      },
    });
    expect((await approve(alderToo, grant)).json).toEqual({ id: grant.id, state: "approved" });
    const [consumer] = await consumers(name);
    expect(consumer).toMatchObject({ target: `fake-secret:/srv/cluster/web/${name}`, retired: false });
    const { rows } = await sql`
      SELECT actor, details FROM audit WHERE action = 'grant.approved' ORDER BY id DESC LIMIT 1`.execute(db());
    const { digest } = grant;
    expect(rows).toMatchObject([
      { actor: alderToo.tokenId, details: { digest, requestedBy: alder.tokenId, consumer: consumer?.id } },
    ]);
  });

  it("is not approved by the token that asked, nor with another digest, nor twice", async () => {
    const grant = await grantFor(alder, mine());
    expect(refusal(await approve(alder, grant))).toEqual(["forbidden", expect.stringContaining("themselves")]);
    const other = await approve(alderToo, { ...grant, digest: "0".repeat(64) });
    expect(refusal(other)).toEqual(["grant_refused", expect.stringContaining("rekey grant show")]);
    expect(await consumers(name)).toEqual([]);
    expect((await approve(alderToo, grant)).status).toBe(200);
    expect(refusal(await approve(operator, grant))).toEqual(["grant_refused", expect.stringContaining("already")]);
    expect(await consumers(name)).toHaveLength(1);
  });

  it("is not approved by who asked even where only the ledger could say so", async () => {
    const { id } = await grantFor(alder, mine());
    const update = sql`
      UPDATE grants SET state = 'approved', decided_at = clock_timestamp(), decided_by = requested_by WHERE id = ${id}`;
    await expect(update.execute(db())).rejects.toThrow("violates check constraint");
  });

  it("is registered once when two approve at once", async () => {
    const grant = await grantFor(alder, mine());
    const answers = await Promise.all([approve(alderToo, grant), approve(operator, grant), approve(api, grant)]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409, 409]);
    expect(await consumers(name)).toHaveLength(1);
  });

  it("asked for again waits as the same; asked for otherwise it outdates what waited", async () => {
    const first = await grantFor(alder, mine());
    expect(await grantFor(alderToo, mine())).toEqual(first);
    const second = await grantFor(alder, mine({ secret: `${name}-other` }));
    expect(second.id).not.toBe(first.id);
    expect(refusal(await approve(alderToo, first))).toEqual(["grant_refused", expect.stringContaining("outdated")]);
    // The older content by the newer grant's name.
    expect((await approve(alderToo, { ...second, digest: first.digest })).status).toBe(409);
    expect((await approve(alderToo, second)).status).toBe(200);
    expect(await consumers(name)).toMatchObject([{ target: `fake-secret:/srv/cluster/web/${name}-other` }]);
    expect((await ask(alder, mine({ secret: `${name}-other` }))).json["items"]).toMatchObject([
      { action: "unchanged", grant: null },
    ]);
  });

  it("is planned as apply plans it: what the connection does not allow, and what is no consumer, is refused", async () => {
    const wrong = await ask(alder, mine({ space: "vault" }));
    expect([wrong.status, wrong.text]).toEqual([422, expect.stringContaining("lets yours use such a place")]);
    const field = mine().replace("DB_PASSWORD: password", "DB_PASSWORD: pasword");
    expect((await ask(alder, field)).text).toContain("Did you mean password?");
    const asks = mine({ evidence: "{ wantd: observed }" });
    expect((await ask(alder, asks)).text).toContain("Did you mean wanted?");
    const credential = "apiVersion: rekey/v1\nkind: Team\nmetadata: { name: cedar }\n";
    expect((await ask(alder, `${mine()}---\n${credential}`)).text).toContain("must be Consumer here");
    const secret = mine().replace(`secret: ${name}`, `secret: "postgres://u:${randomUUID()}@db/"`);
    expect((await ask(alder, secret)).text).toContain("holds a secret in plain text");
    expect((await ask(alder, mine().replace(name, "a\\u0000"))).status).toBe(422);
    expect((await sql`SELECT FROM grants WHERE consumer = ${name}`.execute(db())).rows).toEqual([]);
  });

  it("is asked for by nobody in another team's name", async () => {
    const answer = await ask(alder, mine({ team: "birch" }));
    expect(answer.json["issues"]).toMatchObject([{ field: "metadata.team", text: expect.stringContaining("alder") }]);
    // Before anything of that team is looked at.
    const others = [mine({ team: "none" }), mine({ team: "birch", credential: "payments" })];
    for (const text of others) expect((await ask(alder, text)).text).toBe(answer.text);
  });

  it("is only said with a dry run", async () => {
    const { json } = await ask(alder, mine(), true);
    expect(json["items"]).toMatchObject([{ action: "create", grant: null }]);
    expect((await sql`SELECT FROM grants WHERE consumer = ${name}`.execute(db())).rows).toEqual([]);
  });

  it("of a kind that no connection measures out is approved by an operator alone", async () => {
    const grant = await grantFor(alder, placeAskedFor(`/srv/${name}.env`, name));
    expect(refusal(await approve(alderToo, grant))).toEqual(["forbidden", expect.stringContaining("an operator")]);
    expect((await approve(operator, grant)).status).toBe(200);
  });

  it("is refused by its owner with a reason, or withdrawn by its team, and then takes no yes", async () => {
    const refused = await grantFor(alder, mine());
    await alderToo.ask("POST", `/grants/${refused.id}/refuse`, { reason: "not there, please" });
    expect(await shown(refused.id, alder)).toMatchObject({ state: "refused", reason: "not there, please" });
    const withdrawn = await grantFor(alder, mine());
    expect((await alder.ask("POST", `/grants/${withdrawn.id}/withdraw`)).status).toBe(200);
    for (const one of [refused, withdrawn]) expect((await approve(operator, one)).status).toBe(409);
    expect(await consumers(name)).toEqual([]);
  });

  it("does not wait in any number", async () => {
    const cedar = await withApi(await withLedger(), clusteredCatalog);
    await adopted(cedar, "orders", "cedar");
    await allow(cedar, "{ cedar: [web] }");
    const [team] = (await sql<{ id: string }>`SELECT id FROM teams WHERE name = 'cedar'`.execute(cedar.deps.ledger.db))
      .rows;
    const asking = await cedar.as("team", team?.id);
    const texts = (count: number) =>
      Array.from({ length: count }, (_, at) =>
        askedFor({ team: "cedar", name: `pods-${at}`, secret: `pods-${at}` }),
      ).join("---\n");
    const many = await ask(asking, texts(201));
    expect(refusal(many)).toEqual(["request_invalid", expect.stringContaining("rekey grant list")]);
    expect((await sql`SELECT FROM grants`.execute(cedar.deps.ledger.db)).rows).toEqual([]);
    expect((await ask(asking, texts(200))).status).toBe(200);
  });
});

describe("a change of a consumer", () => {
  it("leaves what is registered in force until it is approved, and then takes its place", async () => {
    await approve(alderToo, await grantFor(alder, mine()));
    const [before] = await consumers(name);
    const change = await grantFor(alder, mine({ secret: `${name}-moved` }));
    expect(await consumers(name)).toEqual([before]);
    expect((await shown(change.id))["content"]).toMatchObject({
      action: "change",
      changes: [{ field: "spec.config.secret", from: name, to: `${name}-moved` }],
    });
    expect((await approve(alderToo, change)).status).toBe(200);
    expect(await consumers(name)).toEqual([
      { id: before?.id, target: `fake-secret:/srv/cluster/web/${name}-moved`, retired: false },
    ]);
  });

  it("of the evidence alone waits too", async () => {
    await approve(alderToo, await grantFor(alder, mine({ evidence: "{ watch: { instances: 3 } }" })));
    const weaker = await grantFor(alder, mine({ evidence: "{ watch: { instances: 1 } }" }));
    expect((await shown(weaker.id))["content"]).toMatchObject({
      changes: [{ field: "spec.evidence.watch.instances", from: 3, to: 1 }],
    });
  });

  it("is outdated when an operator has changed the consumer in between", async () => {
    await approve(alderToo, await grantFor(alder, mine()));
    const change = await grantFor(alder, mine({ secret: `${name}-moved` }));
    await register(api, mine({ secret: `${name}-elsewhere` }));
    expect(refusal(await approve(alderToo, change))).toEqual(["grant_refused", expect.stringContaining("outdated")]);
    expect(await shown(change.id)).toMatchObject({ state: "outdated" });
    expect(await consumers(name)).toMatchObject([{ target: `fake-secret:/srv/cluster/web/${name}-elsewhere` }]);
  });

  it("is refused while a rotation has delivered there, when it is asked for and when it is approved", async () => {
    await approve(alderToo, await grantFor(alder, mine()));
    const change = await grantFor(alder, mine({ secret: `${name}-moved` }));
    const rotation = await rotate("alder/orders");
    await sql`
      INSERT INTO deliveries (id, rotation_id, consumer_id, target, version, epoch, number)
      SELECT 'dlv_' || name, ${rotation}, id, target, 2, 1, 1 FROM consumers WHERE name = ${name}`.execute(db());
    try {
      expect((await ask(alder, mine({ secret: `${name}-other` }))).text).toContain("which has delivered there");
      expect(refusal(await approve(alderToo, change))).toEqual([
        "grant_refused",
        expect.stringContaining(`cannot change while rotation ${rotation} is open`),
      ]);
      expect(await consumers(name)).toMatchObject([{ target: `fake-secret:/srv/cluster/web/${name}` }]);
    } finally {
      await closeRotation(rotation);
    }
  });
});

/** As if it had gone well. */
const closeRotation = (rotation: string) =>
  transact(api.deps.ledger, (trx) => closeRotations(trx, [{ rotationId: rotation, outcome: "proven" }]));

describe("what has changed since a team asked", () => {
  it("the connection's allowed targets: it is outdated, says what to do, and stays so when they come back", async () => {
    const grant = await grantFor(alder, mine());
    await allow(api, "{ alder: [], birch: [web] }");
    const answer = await approve(alderToo, grant);
    await allow(api, "{ alder: [web], birch: [web] }");
    expect(refusal(answer)).toEqual(["grant_refused", expect.stringContaining("Ask an operator to add it")]);
    expect(await shown(grant.id, alder)).toMatchObject({ state: "outdated", decidedBy: alderToo.tokenId });
    expect((await approve(alderToo, grant)).status).toBe(409);
    expect(await consumers(name)).toEqual([]);
  });

  it("the token that asked was revoked: what it asked for is outdated with it", async () => {
    const stolen = await api.as("team", await teamId("alder"));
    const grant = await grantFor(stolen, mine());
    await api.ask("POST", `/tokens/${stolen.tokenId}/revoke`, {});
    expect(await shown(grant.id)).toMatchObject({ state: "outdated", reason: expect.stringContaining("revoked") });
    expect((await approve(alderToo, grant)).status).toBe(409);
    // Asked for in the very moment.
    await sql`UPDATE grants SET state = 'pending', decided_at = NULL, decided_by = NULL WHERE id = ${grant.id}`.execute(
      db(),
    );
    expect(refusal(await approve(alderToo, grant))).toEqual(["grant_refused", expect.stringContaining("revoked")]);
  });

  it("the team was deleted, or the credential: nothing waits any more", async () => {
    await adopted(api, "orders", "willow");
    await register(api, "apiVersion: rekey/v1\nkind: Team\nmetadata: { name: fir }\nspec: {}\n");
    await allow(api, "{ alder: [web], birch: [web], fir: [web] }");
    await api.ask("POST", "/credentials/willow%2Forders/share", { team: "fir" });
    const fir = await api.as("team", await teamId("fir"));
    const grant = await grantFor(fir, askedFor({ team: "fir", name, secret: name, credential: "willow/orders" }));
    const remove = async (kind: string, object: string) => {
      const { json } = await api.ask("POST", "/manifests/delete", { kind, name: object });
      return api.ask("POST", "/manifests/delete", { kind, name: object, digest: json["digest"] });
    };
    expect((await remove("team", "fir")).status).toBe(200);
    expect((await approve(api, grant)).status).toBe(409);
    const willow = await api.as("team", await teamId("willow"));
    await allow(api, "{ alder: [web], birch: [web], willow: [web] }");
    const own = await grantFor(willow, askedFor({ team: "willow", name, secret: name }));
    expect((await remove("credential", "willow/orders")).status).toBe(200);
    for (const { id } of [grant, own]) expect(await shown(id)).toMatchObject({ state: "outdated" });
    expect(await consumers(name)).toEqual([]);
  });

  it("another team's consumer writes there by now: who approves is told, who asked is not, and it goes on waiting", async () => {
    const grant = await grantFor(alder, mine());
    const birches = askedFor({ team: "birch", name, secret: name, credential: "payments" });
    await register(api, birches);
    const [team, all] = [await approve(alderToo, grant), await approve(operator, grant)];
    expect(refusal(team)).toEqual(["grant_refused", expect.stringContaining("somebody else writes")]);
    expect(team.text).not.toContain("birch");
    expect(refusal(all)).toEqual(["grant_refused", expect.stringContaining(`consumer birch/${name}`)]);
    expect(await shown(grant.id, alder)).toMatchObject({ state: "pending", reason: "" });
    expect((await grantFor(alder, mine())).id).toBe(grant.id);
  });
});
