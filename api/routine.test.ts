import { randomBytes } from "node:crypto";
import { sql, type RawBuilder } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sweepDue } from "../ledger/sweep-due.ts";
import { markWorker } from "../ledger/workers.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { applyText } from "../test/harness/apply-text.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connectionIndex, consumer, credential, everything } from "../test/harness/manifests.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { createWatcher } from "./watcher.ts";

const adminPassword = randomBytes(12).toString("hex");
let api: TestApi;
beforeAll(async () => {
  api = await withApi(await withLedger());
  await applyText(api, everything, { [connectionIndex]: adminPassword });
  await markWorker(api.deps.ledger.db, { id: "wrk_test", pools: ["default"], release: "0" });
});
afterAll(() => api.app.close());

const db = () => api.deps.ledger.db;
const policyOf = (policy: string) => credential.replace(/policy: .*/, `policy: ${policy}`);
const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString();

interface Explained {
  readonly field: string;
  readonly value: unknown;
  readonly from: string;
}

async function explained(): Promise<ReadonlyMap<string, Explained>> {
  const { json } = await api.ask("GET", "/credentials/shop%2Forders/policy");
  return new Map((json["fields"] as readonly Explained[]).map((one) => [one.field, one]));
}

describe("who says what rules a credential", () => {
  it("is shown value by value, in a manifest's words", async () => {
    const team = `apiVersion: rekey/v1
kind: Team
metadata: { name: shop }
spec: { policy: { maxAge: 90d, graceMin: 30m } }
`;
    const environment = `apiVersion: rekey/v1
kind: Environment
metadata: { name: prod }
spec: { policy: { windows: { timeZone: Europe/Berlin, open: [{ days: [sat], from: "22:00", to: "04:00" }] }, maxAge: 30d } }
`;
    await applyText(api, [environment, team, policyOf("{ grace: 5m, schedule: { every: 30d } }")].join("---\n"));
    const fields = await explained();
    expect(fields.get("schedule")).toMatchObject({ value: { every: "30d" }, from: "credential shop/orders" });
    expect(fields.get("maxAge")).toMatchObject({
      ...{ value: "90d", from: "team shop" },
      overruled: [{ from: "environment prod", value: "30d" }],
    });
    expect(fields.get("windows")).toMatchObject({
      from: "environment prod",
      value: { timeZone: "Europe/Berlin" },
    });
    expect(fields.get("grace")).toMatchObject({ value: "30m", from: "team shop, by graceMin" });
    expect(fields.get("answersInRow")).toMatchObject({ value: 3, from: "default", overruled: [] });
  });

  it("what environment, team and credential can never keep together is refused", async () => {
    const answer = await api.ask("POST", "/manifests/apply", {
      files: [{ name: "f.yaml", text: policyOf("{ schedule: { every: 20m } }") }],
    });
    expect(answer.text).toContain("can never run with what its team and environment say: schedule.every 20m");
  });

  it("what a team, an environment or a policy would make of a credential that nobody touches is refused at theirs", async () => {
    const ask = async (text: string) =>
      (await api.ask("POST", "/manifests/apply", { files: [{ name: "f.yaml", text }] })).text;
    const place = (kind: string, policy: string) =>
      `apiVersion: rekey/v1\nkind: ${kind}\nmetadata: { name: ${kind === "Team" ? "shop" : "prod"} }\nspec: { policy: ${policy} }\n`;
    await applyText(api, policyOf("{ grace: 5m, disabledFor: 2h }"));
    const never = "would let shop/orders never run: schedule.every 1h can never be kept";
    expect(await ask(place("Team", "{ schedule: { every: 1h } }"))).toContain(never);
    expect(await ask(place("Environment", "{ schedule: { every: 1h }, grace: 1s, disabledFor: 1s }"))).toContain(never);
    // What is said in the same files counts.
    const both = [place("Team", "{ schedule: { every: 1h } }"), policyOf("{ grace: 1s, disabledFor: 1s }")].join(
      "---\n",
    );
    expect(await ask(both)).not.toContain("never run");
  });
});

describe("a freeze", () => {
  it("needs an end in the future and a scope that exists", async () => {
    const declare = (body: object) => api.ask("POST", "/freezes", { reason: "quarter's end", ...body });
    expect((await declare({ until: "2001-01-01T00:00:00Z" })).text).toContain("has to end after it begins");
    expect((await declare({ until: tomorrow(), team: "nobody" })).text).toContain("There is no such team");
    expect((await declare({ until: tomorrow(), environment: "nowhere" })).text).toContain("no such environment");
    const both = { until: tomorrow(), team: "shop", environment: "prod" };
    expect((await declare(both)).text).toContain("Declare two");
    expect((await api.ask("POST", "/freezes/frz_none/end", {})).status).toBe(404);
  });

  it("invariant 6: keeps no reason in which a secret stands that rekey knows, wherever it is declared", async () => {
    for (const place of [{}, { team: "shop" }, { environment: "prod" }]) {
      const said = { reason: `admin is ${adminPassword}`, until: tomorrow(), ...place };
      const { status: code, text } = await api.ask("POST", "/freezes", said);
      expect([code, text.includes("holds a secret"), text.includes(adminPassword)]).toEqual([400, true, false]);
    }
    expect((await api.ask("GET", "/freezes")).json["freezes"]).toEqual([]);
  });

  it("is listed, leaves its audit rows, and can be ended", async () => {
    const { json } = await api.ask("POST", "/freezes", { reason: "quarter's end", until: tomorrow(), team: "shop" });
    const listed = (await api.ask("GET", "/freezes")).json["freezes"];
    expect(listed).toMatchObject([{ team: "shop", reason: "quarter's end", isActive: true, endedAt: null }]);
    await api.ask("POST", `/freezes/${String(json["freezeId"])}/end`, {});
    const { rows } = await sql<{
      action: string;
    }>`SELECT action FROM audit WHERE action LIKE 'freeze.%' ORDER BY id`.execute(db());
    expect(rows.map(({ action }) => action)).toEqual(["freeze.declared", "freeze.ended"]);
  });
});

interface Entry {
  readonly state: string;
  readonly rotation: string | null;
  readonly why: readonly string[];
}

async function calendar(): Promise<Entry | undefined> {
  await sweepDue(api.deps.ledger);
  const { json } = await api.ask("GET", "/calendar?credential=shop%2Forders&days=60");
  return (json["entries"] as readonly Entry[])[0];
}

/** As if the version in use were that old. */
const age = (days: number) =>
  sql`UPDATE versions SET created_at = clock_timestamp() - ${days} * interval '1 day'`.execute(db());
const reckonAgain = () => sql`UPDATE credentials SET is_reckoned = false, not_before = NULL`.execute(db());

describe("the calendar", () => {
  beforeAll(async () => {
    await sql`UPDATE environments SET policy = '{}'`.execute(db());
    await applyText(api, policyOf("{ grace: 0s, schedule: { every: 30d }, windows: always }"));
    await sql`INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key, handle)
      SELECT 'ver_1', id, connection_id, 1, 'live', 'k1', 'h1' FROM credentials ON CONFLICT DO NOTHING`.execute(db());
    await sql`UPDATE credentials SET current_version = 1, next_version = 2`.execute(db());
  });

  it("shows what becomes due, and nothing beyond the time that was asked for", async () => {
    await age(1);
    await reckonAgain();
    expect(await calendar()).toMatchObject({ state: "upcoming", because: "schedule", why: [] });
    const { json } = await api.ask("GET", "/calendar?credential=shop%2Forders&days=7");
    expect(json["entries"]).toEqual([]);
  });

  it("says why something that is due does not run: a freeze, a pause, a window, failures, a cap", async () => {
    await age(40);
    const { json } = await api.ask("POST", "/freezes", { reason: "quarter's end", until: tomorrow() });
    expect((await calendar())?.why).toEqual([expect.stringMatching(/^a freeze lasts until .*: quarter's end$/)]);
    await api.ask("POST", `/freezes/${String(json["freezeId"])}/end`, {});
    const paused = `{ grace: 0s, schedule: { every: 30d }, pause: { reason: migration, until: "${tomorrow()}" } }`;
    await applyText(api, policyOf(paused));
    expect((await calendar())?.why).toEqual([expect.stringMatching(/^its policy pauses it until .*: migration$/)]);
    const day = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"][(new Date().getUTCDay() + 3) % 7];
    const windows = `{ grace: 0s, schedule: { every: 30d }, windows: { open: [{ days: [${day}], from: "10:00", to: "11:00" }] } }`;
    await applyText(api, policyOf(windows));
    expect((await calendar())?.why).toEqual([expect.stringMatching(/^its window opens .* 10:00 UTC$/)]);
    await applyText(api, policyOf("{ grace: 0s, schedule: { every: 30d } }"));
    await sql`UPDATE credentials SET failures = 3, failed_code = 'rights_missing'`.execute(db());
    expect((await calendar())?.why).toEqual([
      expect.stringContaining("a person has to begin: rekey rotate shop/orders"),
    ]);
    await sql`UPDATE credentials SET failures = 0`.execute(db());
    await sql`UPDATE teams SET max_concurrent = 1 WHERE name = 'shop'`.execute(db());
    await makeRotations(api.deps.ledger, 1);
    await sql`UPDATE credentials SET team_id = (SELECT id FROM teams WHERE name = 'shop')`.execute(db());
    expect((await calendar())?.why).toEqual(["as many are open as may be at once: team shop (1)"]);
    await sql`UPDATE teams SET max_concurrent = NULL`.execute(db());
    expect(await calendar()).toMatchObject({ state: "running", why: [] });
  });

  it("says what keeps one that is under way: a window or a freeze, a person's pause, a person's answer", async () => {
    const { json } = await api.ask("POST", "/freezes", { reason: "quarter's end", until: tomorrow() });
    expect((await calendar())?.why).toEqual([expect.stringContaining("quarter's end; until then nothing that")]);
    await sql`UPDATE rotations SET urgent = true WHERE outcome IS NULL`.execute(db());
    expect(await calendar()).toMatchObject({ state: "running", why: [] });
    await api.ask("POST", `/freezes/${String(json["freezeId"])}/end`, {});
    await sql`UPDATE rotations SET urgent = false, paused = true WHERE outcome IS NULL`.execute(db());
    expect((await calendar())?.why).toEqual([expect.stringContaining("rekey rotation resume rot_")]);
    await sql`INSERT INTO holds (id, rotation_id, number, phase, code, detail, gaps)
      SELECT 'hld_' || id, id, 1, phase, 'target_missing', 'gone', '[]' FROM rotations WHERE outcome IS NULL`.execute(
      db(),
    );
    expect((await calendar())?.why).toEqual([expect.stringContaining("a person's answer: rekey rotation show rot_")]);
    await sql`DELETE FROM holds`.execute(db());
    await sql`UPDATE rotations SET paused = false`.execute(db());
  });

  it("names the window that one under way was reserved by, and that it never meets the one of today", async () => {
    const ahead = (by: number) => ["sun", "mon", "tue", "wed", "thu", "fri", "sat"][(new Date().getUTCDay() + by) % 7];
    const pinned = { timeZone: "UTC", openings: [{ days: [ahead(2)], from: "10:00", to: "11:00" }] };
    await sql`UPDATE rotations SET policy = jsonb_build_object('windows', ${JSON.stringify(pinned)}::jsonb), phase = 'issued'
      WHERE outcome IS NULL`.execute(db());
    await sql`DELETE FROM starts`.execute(db());
    const id = String((await calendar())?.rotation);
    const trouble = async () => (await api.ask("GET", "/credentials/shop%2Forders/policy")).json["trouble"];
    const waits = async () => (await api.ask("GET", `/rotations/${id}`)).json["waitsFor"];
    expect((await calendar())?.why).toEqual([
      expect.stringMatching(/^its window opens .* 10:00 UTC; until then nothing/),
    ]);
    expect(await trouble()).toBeNull();
    await applyText(
      api,
      policyOf(`{ grace: 0s, windows: { open: [{ days: [${ahead(2)}], from: "11:00", to: "12:00" }] } }`),
    );
    const never = expect.stringMatching(new RegExp(`never open together, .* rekey rotation expedite ${id}`));
    expect((await calendar())?.why).toEqual([never]);
    expect(await trouble()).toEqual(never);
    expect(await waits()).toMatchObject({ text: never, until: null });
    await sql`UPDATE rotations SET urgent = true WHERE outcome IS NULL`.execute(db());
    expect(await calendar()).toMatchObject({ state: "running", why: [] });
    expect(await trouble()).toBeNull();
    await sql`UPDATE rotations SET urgent = false, policy = '{}' WHERE outcome IS NULL`.execute(db());
    await applyText(api, policyOf("{ grace: 0s, schedule: { every: 30d } }"));
  });

  it("has what runs and what is due before what comes, however long it waits, and says when there is more", async () => {
    const seen = async (limit: number) => {
      const { entries, isMore } = (await api.ask("GET", `/calendar?days=400&limit=${limit}`)).json;
      return [(entries as readonly Entry[]).map(({ state }) => state), isMore];
    };
    const orders = sql`(SELECT id FROM credentials WHERE name = 'orders')`;
    const due = (one: RawBuilder<unknown>, dueIn: string, beginsIn: string) =>
      sql`UPDATE credentials SET due_at = clock_timestamp() + ${dueIn}::interval, is_reckoned = true, due_because = 'schedule',
        begins_at = clock_timestamp() + ${beginsIn}::interval WHERE ${one}`.execute(db());
    await sql`UPDATE rotations SET outcome = 'undone', closed_at = clock_timestamp()
      WHERE credential_id <> ${orders}`.execute(db());
    await due(sql`id <> ${orders}`, "1 day", "1 day");
    await due(sql`id = ${orders}`, "9 days", "9 days");
    await sql`UPDATE credentials SET due_at = NULL, due_because = NULL WHERE id = ${orders}`.execute(db());
    expect([await seen(1), await seen(2)]).toEqual([
      [["running"], true],
      [["running", "upcoming"], false],
    ]);
    const { rows } = await sql<{ id: string }>`UPDATE rotations SET outcome = 'undone', closed_at = clock_timestamp()
      WHERE outcome IS NULL RETURNING id`.execute(db());
    await due(sql`id = ${orders}`, "-1 day", "9 days");
    expect(await seen(2)).toEqual([["due", "upcoming"], false]);
    await sql`UPDATE rotations SET outcome = NULL, closed_at = NULL WHERE id = ${rows[0]?.id}`.execute(db());
  });

  it("knows what was meant by a team or an environment that is not there", async () => {
    const asked = async (query: string) => (await api.ask("GET", `/calendar?${query}`)).text;
    expect(await asked("team=shp")).toContain("There is no such team. Did you mean shop?");
    expect(await asked("environment=prodd")).toContain("There is no such environment. Did you mean prod?");
    expect(await asked("environment=nowhere-near")).toContain("rekey export environment");
  });
});

interface Status {
  readonly counts: { readonly credentials: number; readonly waiting: number };
  readonly freezes: readonly object[];
  readonly looks: readonly { readonly about: string; readonly state: string; readonly text: string }[];
}

const status = async () => (await api.ask("GET", "/status")).json as unknown as Status;
const bad = async () => (await status()).looks.filter(({ state }) => state === "bad").map(({ about }) => about);
const openAlarms = async () => {
  const { rows } = await sql<{ key: string }>`SELECT key FROM alarms ORDER BY key`.execute(db());
  return rows.map(({ key }) => key);
};

describe("the alarm", () => {
  const watch = () => createWatcher(api.deps).runOnce();

  beforeAll(async () => {
    await sql`UPDATE rotations SET looked_at = clock_timestamp()`.execute(db());
    await sql`DELETE FROM alarms`.execute(db());
  });

  it("is raised once by whoever sees it, and cleared once, both in the audit trail", async () => {
    expect(await bad()).toEqual([]);
    await sql`UPDATE workers SET seen_at = clock_timestamp() - interval '5 minutes'`.execute(db());
    expect(await bad()).toEqual(["Workers"]);
    await Promise.all([watch(), watch(), watch()]);
    expect(await openAlarms()).toEqual(["workers"]);
    await sql`UPDATE workers SET seen_at = clock_timestamp()`.execute(db());
    await Promise.all([watch(), watch()]);
    expect(await openAlarms()).toEqual([]);
    const { rows } = await sql<{
      action: string;
    }>`SELECT action FROM audit WHERE action LIKE 'alarm.%' ORDER BY id`.execute(db());
    expect(rows.map(({ action }) => action)).toEqual(["alarm.raised", "alarm.cleared"]);
  });

  it("is about rotations that should have begun, have no carrier, wait for people, or are not sealed", async () => {
    await sql`UPDATE rotations SET looked_at = clock_timestamp() - interval '10 minutes'`.execute(db());
    expect(await bad()).toContain("Open rotations");
    await sql`UPDATE rotations SET looked_at = clock_timestamp(), attempts = 3, last_code = 'system_sealed'`.execute(
      db(),
    );
    expect((await status()).looks.find(({ about }) => about === "Failing")).toMatchObject({
      state: "warn",
      text: expect.stringContaining("(The system is sealed)"),
    });
    await sql`UPDATE rotations SET looked_at = clock_timestamp(), outcome = 'undone', closed_at = clock_timestamp()
      `.execute(db());
    await sql`UPDATE credentials SET failures = 0, is_reckoned = true, due_at = clock_timestamp() - interval '2 hours',
      begins_at = clock_timestamp() - interval '2 hours'`.execute(db());
    expect((await status()).looks.find(({ about }) => about === "Overdue")?.text).toContain(
      "shop/orders (for 2 hours)",
    );
    await sql`UPDATE credentials SET failures = 3, failed_code = 'rights_missing'`.execute(db());
    expect((await status()).looks.find(({ about }) => about === "Given up")).toMatchObject({ state: "waits" });
    await sql`INSERT INTO audit (actor, action, at) VALUES ('tok', 'x.y', clock_timestamp() - interval '5 minutes')
      `.execute(db());
    expect(await bad()).toContain("Audit trail");
  });

  it("is not about what was never adopted, what waits for its window, or a freeze: these are told, and no more", async () => {
    await sql`UPDATE credentials SET failures = 0, failed_code = NULL, is_reckoned = true,
      due_at = clock_timestamp() - interval '2 hours', begins_at = clock_timestamp() + interval '2 hours'`.execute(
      db(),
    );
    await api.ask("POST", "/freezes", { reason: "quarter's end", until: tomorrow(), environment: "prod" });
    const found = (await api.ask("GET", "/status")).json as unknown as Status;
    expect(found.counts.waiting).toBe(found.counts.credentials);
    expect(found.freezes).toMatchObject([{ environment: "prod", reason: "quarter's end" }]);
    expect(found.looks.map(({ about }) => about)).not.toContain("Not adopted");
    await sql`UPDATE credentials SET current_version = NULL, due_at = NULL, begins_at = NULL`.execute(db());
    const { counts, looks } = await status();
    expect(counts.waiting).toBe(0);
    expect(looks.find(({ about }) => about === "Not adopted")).toMatchObject({
      state: "warn",
      text: expect.stringContaining("shop/orders"),
    });
  });

  it("is not about grants that wait for an owner, which status names all the same", async () => {
    const before = await bad();
    const text = consumer.replace("name: web", "name: asked").replace("/srv/web.env", "/srv/asked.env");
    await api.ask("POST", "/consumers", { files: [{ name: "asked.yaml", text }] });
    expect((await status()).looks.find(({ about }) => about === "Grants")).toMatchObject({
      state: "warn",
      text: expect.stringMatching(/^1 grant waits for an owner: shop\/orders/),
    });
    expect(await bad()).toEqual(before);
  });

  it("is about a pool that no worker serves, and a custody key that is gone", async () => {
    await sql`UPDATE connections SET pool = 'far-away' WHERE name = 'main'`.execute(db());
    expect((await status()).looks.find(({ about }) => about === "Worker pools")?.text).toContain("far-away");
    const gone = { ...api.deps, custodyTrouble: () => Promise.resolve("/keys/custody.json cannot be read.") };
    await createWatcher(gone).runOnce();
    expect(await openAlarms()).toContain("custody-key");
  });
});
