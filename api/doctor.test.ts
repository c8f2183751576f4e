import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Look } from "../domain/look.ts";
import { ownLooks } from "./doctor-looks.ts";
import { finishCheck } from "../ledger/checks.ts";
import { readDoctorFacts } from "../ledger/doctor-facts.ts";
import { newId } from "../ledger/new-id.ts";
import { transact } from "../ledger/database.ts";
import { version } from "../release.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { applyText } from "../test/harness/apply-text.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { memoryStore } from "../test/harness/memory-custody.ts";
import { connectionIndex, consumer, credential, everything } from "../test/harness/manifests.ts";

let api: TestApi;
beforeAll(async () => {
  api = await withApi(await withLedger());
});
afterAll(() => api.app.close());

const db = () => api.deps.ledger.db;
const apply = async (text: string) => applyText(api, text, { [connectionIndex]: randomBytes(12).toString("hex") });

interface Shown {
  readonly isComplete: boolean;
  readonly looks: readonly Look[];
}

async function start(): Promise<string> {
  const { json } = await api.ask("POST", "/doctor");
  expect(json["limitMs"]).toBe(80_000);
  return json["checkId"] as string;
}

const show = async (check: string) => (await api.ask("GET", `/doctor/${check}`)).json as unknown as Shown;

/** As a worker would, which saw this. */
async function answer(check: string, release = version, looks: readonly Look[] = []): Promise<Shown> {
  const result = { looks, release, temporal: "1.29.0" };
  await transact(api.deps.ledger, (trx) => finishCheck(trx, check, { ok: true, findings: [], result }));
  return show(check);
}

const states = ({ looks }: Shown) => looks.map(({ state, about }) => `${state} ${about.replace(/ rot_.*/, "")}`);

it("that no worker answers is bad by itself, and stands first", async () => {
  const shown = await show(await start());
  expect(shown.isComplete).toBe(false);
  expect(shown.looks[0]).toMatchObject({ about: "Worker", state: "bad", mend: "rekey worker" });
});

it("an installation with nothing in it has only its custody key to be copied, until a person says that it is", async () => {
  const shown = await answer(await start());
  expect(states(shown)).toEqual(["warn Custody key key_test", "ok API and ledger", "ok Audit trail", "ok Worker"]);
  expect(shown.looks[0]?.text).toContain("It lies in /keys/custody.json, and nobody has said");
  expect(shown.looks[0]?.mend).toContain("install -m 600 /keys/custody.json");
  expect(shown.looks[1]?.text).toMatch(/^rekey \S+ over PostgreSQL 18\.\d+, schema \d{4}-[a-z-]+\.$/);
  await api.ask("POST", "/custody/key-copies");
  const after = await answer(await start());
  expect(states(after)).toContain("ok Custody key key_test");
  expect(after.looks.find(({ about }) => about.startsWith("Custody"))?.text).toMatch(/Copied on \d{4}-\d\d-\d\d\.$/);
});

it("what is registered and not whole is to be seen to, each with its command", async () => {
  await apply(everything.replace("evidence: { watch: { instances: 2 } }", ""));
  const lonely = credential
    .replace("name: orders,", "name: lonely,")
    .replace("orders_a, orders_b", "lonely_a, lonely_b");
  await applyText(api, lonely.replace("spec:\n", "spec:\n  expiresAt: 2020-01-01\n"));
  const shown = await answer(await start());
  expect(states(shown).filter((one) => !one.startsWith("ok"))).toEqual([
    "bad Credential shop/lonely",
    "warn Credential shop/orders",
    "warn Credential shop/lonely",
    "warn Credential shop/lonely",
    "warn Consumer shop/web",
  ]);
  expect(shown.looks[0]).toMatchObject({
    text: expect.stringContaining("2020-01-01, has passed"),
    mend: "rekey rotate shop/lonely",
  });
  await api.ask("POST", "/manifests/delete", { kind: "credential", name: "shop/lonely" });
  await applyText(api, consumer);
  expect(states(await answer(await start()))).not.toContain("warn Consumer shop/web");
});

it("what waits for a person is told apart from what is bad, with its age", async () => {
  await sql`UPDATE credentials SET current_version = 1`.execute(db());
  const { json } = await api.ask("POST", "/credentials/shop%2Forders/rotate", {});
  const id = json["id"] as string;
  await sql`UPDATE rotations SET paused = true, phase_since = clock_timestamp() - interval '3 hours',
    looked_at = clock_timestamp() - interval '1 hour' WHERE id = ${id}`.execute(db());
  const { looks } = await answer(await start());
  const own = looks.filter(({ about }) => about === `Rotation ${id}`);
  expect(own).toMatchObject([
    { state: "bad", text: expect.stringContaining("No worker has looked at it since 60 minutes (shop/orders)") },
    { state: "waits", text: expect.stringContaining("paused since 3 hours"), mend: `rekey rotation resume ${id}` },
  ]);
});

it("a worker of another release is named, and what it saw stands among the rest", async () => {
  const looks: readonly Look[] = [{ about: "Connection shop/main", state: "bad", text: "It is down.", mend: "x" }];
  const shown = await answer(await start(), "0.0.1", looks);
  expect(shown.looks[0]).toMatchObject({ state: "bad" });
  expect(shown.looks).toContainEqual(looks[0]);
  expect(shown.looks.find(({ about }) => about === "Worker")).toMatchObject({
    state: "warn",
    text: expect.stringContaining("0.0.1"),
  });
});

it("a connection of another pool is named as not looked at", async () => {
  await apply(everything);
  await sql`UPDATE connections SET pool = 'eu'`.execute(api.deps.ledger.db);
  const { looks } = await answer(await start());
  expect(looks).toContainEqual(
    expect.objectContaining({
      state: "warn",
      text: expect.stringContaining("It is in pool eu, where nobody has looked"),
    }),
  );
});

it("rows that nobody seals are bad after a while", () => {
  const none = {
    holds: [],
    paused: [],
    carrierless: [],
    unadopted: [],
    elsewhere: [],
    withoutConsumers: [],
    withoutEvidence: [],
  };
  const facts = {
    ...none,
    expiring: [],
    places: [],
    halfMoved: [],
    server: "18.4",
    latestMigration: "0001-base.sql",
    keyCopied: null,
  };
  const of = (unsealedMs: number) =>
    ownLooks({ ...facts, unsealed: 7, unsealedMs }, { file: "/k", id: "key_1" }, ["embedded"]).find(
      ({ about }) => about === "Audit trail",
    );
  expect(of(30_000)).toMatchObject({ state: "ok" });
  expect(of(180_000)).toMatchObject({
    state: "bad",
    text: expect.stringContaining("7 rows are not sealed, the oldest since 3 minutes"),
  });
});

it("of a check of another kind, or none, nothing is shown", async () => {
  expect((await api.ask("GET", "/doctor/chk_none")).status).toBe(404);
});

it("a place of custody that no setting names any more is bad, and a move that was left half done is told", async () => {
  const own = await withApi(await withLedger(), undefined, { stores: { far: memoryStore() } });
  await applyText(own, everything, { [connectionIndex]: randomBytes(12).toString("hex") });
  const { db: ledger } = own.deps.ledger;
  await sql`UPDATE credentials SET custody = 'far'`.execute(ledger);
  const looksOf = async (places: readonly string[]) => {
    const facts = await readDoctorFacts(ledger, { silentMs: 1_000, soonMs: 1_000 });
    const looks = ownLooks(facts, { file: "/k", id: "key_1" }, places);
    return looks.filter(
      ({ about, text }) => about.startsWith("Custody place") || text.includes("A move of its values"),
    );
  };
  expect(await looksOf(own.deps.custody.places)).toMatchObject([
    { about: "Custody place far", state: "ok", text: "1 credential has its values there." },
  ]);
  expect(await looksOf(["embedded"])).toMatchObject([
    { state: "bad", text: expect.stringContaining("Put its entry back into the file of REKEY_CUSTODIES_FILE") },
  ]);
  await sql`INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key)
    SELECT ${newId("version")}, id, connection_id, 1, 'live', 'key' FROM credentials`.execute(ledger);
  await sql`INSERT INTO custody_places (key, place, other)
    SELECT id || '/1/version', 'far', 'embedded' FROM credentials`.execute(ledger);
  expect((await looksOf(own.deps.custody.places))[1]).toMatchObject({
    state: "warn",
    mend: "rekey credential move shop/orders --custody far",
  });
  await own.app.close();
});
