import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../providers/contract/secret.ts";
import { needlesOf } from "../test/canary/needles.ts";
import { scanText } from "../test/canary/scan.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { setVersion } from "../test/harness/leaked-version.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { buildApi } from "./build-api.ts";
import { longestLeaked, mostLeakedAtOnce } from "./leak-routes.ts";
import { leakHandlers } from "./leaks.ts";

let test: TestLedger;
let api: TestApi;
let responder: TestApi;

beforeAll(async () => {
  test = await withLedger();
  api = await withApi(test);
  responder = await api.as("responder");
});

const db = () => api.deps.ledger.db;
/** With characters that each encoding writes in another way. */
const newSecret = () => `${randomBytes(9).toString("hex")}"/%+@:${randomBytes(9).toString("hex")}`;

const unknown = { state: "unknown", versions: [], connections: [], tokens: [] };

async function check(values: readonly string[]): Promise<unknown> {
  const { status, json } = await responder.ask("POST", "/leaks/check", { values });
  expect(status).toBe(200);
  return json["answers"];
}

describe("who may ask, and how much", () => {
  it("is told nothing beyond the scope, not even that somebody has the same value", async () => {
    const [own, foreign] = [await adopted(api), await adopted(api)];
    const [shared, foreignOnly] = [newSecret(), newSecret()];
    await setVersion(api, own, 1, shared);
    await setVersion(api, foreign, 1, shared);
    await setVersion(api, foreign, 2, foreignOnly);
    await sql`
      UPDATE connections SET secret_fingerprint = ${api.deps.fingerprints.of(new Secret(foreignOnly))}
      WHERE team_id = (SELECT id FROM teams WHERE name = ${foreign.split("/")[0]})`.execute(db());
    const { rows } = await sql<{ id: string }>`SELECT id FROM teams WHERE name = ${own.split("/")[0]}`.execute(db());
    const scope = { teamId: rows[0]?.id ?? "" };
    const leaked = await api.as("operator");
    const call = { body: { values: [shared, foreignOnly, leaked.token] }, actor: "tok_team", scope };
    const { answers, notCompared } = await leakHandlers.checkLeaks(call, api.deps);
    expect(answers).toMatchObject([{ versions: [{ credential: own }] }, unknown, unknown]);
    expect(JSON.stringify([answers, notCompared])).not.toContain(foreign);
    expect(await check(call.body.values)).toMatchObject([
      { versions: { length: 2 } },
      { versions: { length: 1 }, connections: { length: 1 } },
      { tokens: { length: 1 } },
    ]);
  });

  it("is refused beyond so many values a minute, by any process of the API, and is told so", async () => {
    const limited = await withApi(test, undefined, { leakValuesAMinute: 100 });
    const own = await limited.as("responder");
    const values = Array.from({ length: 60 }, () => newSecret());
    expect((await own.ask("POST", "/leaks/check", { values })).status).toBe(200);
    const refused = await own.ask("POST", "/leaks/check", { values });
    expect([refused.status, refused.json["code"]]).toEqual([429, "too_many_requests"]);
    expect(refused.json["detail"]).toContain("REKEY_LEAK_VALUES_A_MINUTE");
    const another = await buildApi(limited.deps);
    const sent = { method: "POST", url: "/api/v1/leaks/check", payload: { values } } as const;
    const headers = { host: "127.0.0.1", authorization: `Bearer ${own.token}` };
    expect((await another.inject({ ...sent, headers })).statusCode).toBe(429);
    expect((await own.ask("POST", "/leaks/check", { values: values.slice(0, 40) })).status).toBe(200);
    expect((await (await limited.as("responder")).ask("POST", "/leaks/check", { values })).status).toBe(200);
  });

  it("counts what is asked at the same moment", async () => {
    const own = await (await withApi(test, undefined, { leakValuesAMinute: 100 })).as("responder");
    const values = Array<string>(30).fill("x");
    const waiting = sql<{ n: number }>`
      SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND (locktype = 'advisory' OR relation = 'audit'::regclass)`;
    // Nobody can note anything until all of them have counted, or wait for their turn to.
    const asked = await db()
      .transaction()
      .execute(async (trx) => {
        await sql`LOCK TABLE audit IN SHARE MODE`.execute(trx);
        const all = Array.from({ length: 6 }, async () => own.ask("POST", "/leaks/check", { values }));
        await expect.poll(async () => (await waiting.execute(trx)).rows[0]?.n, { timeout: 60_000 }).toBe(6);
        return { all };
      });
    const statuses = (await Promise.all(asked.all)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
  });

  it("gets a problem for too many, too long and too large, without what was sent", async () => {
    const secret = newSecret();
    const asked = [
      { values: [] },
      { values: [""] },
      { values: Array(mostLeakedAtOnce + 1).fill(secret) },
      { values: [secret.repeat(longestLeaked)] },
      { values: Array(20).fill(secret.padEnd(longestLeaked, "x")) },
      { values: [`${secret}\0`] },
      { values: [secret], pad: "x".repeat(2_000_000) },
    ];
    for (const body of asked) {
      const { status, text } = await responder.ask("POST", "/leaks/check", body);
      expect([400, 413]).toContain(status);
      expect(text).not.toContain(secret);
    }
  });
});

describe("what stays of it", () => {
  it("who asked and how many, and which of ours were recognised; no value and no fingerprint", async () => {
    const ref = await adopted(api);
    const secret = newSecret();
    await setVersion(api, ref, 1, secret);
    await check([secret, secret, newSecret()]);
    const { rows } = await sql<{ action: string; actor: string; details: unknown; ref: string | null }>`
      SELECT a.action, a.actor, a.details, t.name || '/' || c.name AS ref FROM audit a
      LEFT JOIN credentials c ON c.id = a.credential_id LEFT JOIN teams t ON t.id = c.team_id
      WHERE a.action LIKE 'leak.%' ORDER BY a.id DESC LIMIT 2`.execute(db());
    expect(rows).toEqual([
      { action: "leak.found", actor: responder.tokenId, ref, details: { version: 1, life: "alive" } },
      { action: "leak.checked", actor: responder.tokenId, ref: null, details: { values: 3 } },
    ]);
  });

  it("invariant 15: nobody is told what could not be recorded", async () => {
    const ref = await adopted(api);
    const secret = newSecret();
    await setVersion(api, ref, 1, secret);
    for (const action of ["leak.found", "leak.checked"]) {
      await sql`CREATE FUNCTION refuse_leak() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF NEW.action = TG_ARGV[0] THEN RAISE ''no''; END IF; RETURN NEW; END'`.execute(db());
      await sql`CREATE TRIGGER refuse_leak BEFORE INSERT ON audit FOR EACH ROW
        EXECUTE FUNCTION refuse_leak(${sql.lit(action)})`.execute(db());
      const { status, text } = await responder.ask("POST", "/leaks/check", { values: [secret] });
      expect([status, text.includes(ref)]).toEqual([500, false]);
      await sql`DROP FUNCTION refuse_leak CASCADE`.execute(db());
    }
    expect(api.logged.join("")).not.toContain(secret);
  });

  it("invariant 6: the value is in no row, log or answer, in no form and in no half", async () => {
    const ref = await adopted(api);
    const [ours, foreign] = [newSecret(), newSecret()];
    await setVersion(api, ref, 1, ours);
    const values = [
      ours,
      foreign,
      `postgres://o:${encodeURIComponent(ours)}@db/o`,
      Buffer.from(foreign).toString("base64"),
    ];
    const answer = await responder.ask("POST", "/leaks/check", { values });
    const { rows } = await sql<{ dump: string }>`
      SELECT query_to_xml('SELECT * FROM ' || quote_ident(tablename), true, true, '')::text AS dump
      FROM pg_tables WHERE schemaname = 'public'`.execute(db());
    const places = { answer: answer.text, log: api.logged.join(""), rows: rows.map(({ dump }) => dump).join("") };
    const needles = needlesOf([ours, foreign]);
    for (const [place, text] of Object.entries(places)) expect(scanText(place, text, needles)).toEqual([]);
    // It looks where something is.
    for (const text of Object.values(places)) expect(text).toMatch(/checkLeaks|leak\.checked|leaks\/check|"answers"/);
    expect(answer.text).not.toContain(api.deps.fingerprints.of(new Secret(ours)).slice("key_test:".length));
  });
});
