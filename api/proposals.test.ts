import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordProposals } from "../ledger/proposals.ts";
import { sessions } from "../providers/evidence/sessions/definition.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { applyText } from "../test/harness/apply-text.ts";
import { approve, grantFor } from "../test/harness/asking-teams.ts";
import { withCli, type CliPlace } from "../test/harness/cli.ts";
import { fakeCatalog } from "../test/harness/fake-catalog.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connectionIndex, everything } from "../test/harness/manifests.ts";
import { createWatcher } from "./watcher.ts";

let api: TestApi;
let cli: CliPlace;
const adminPassword = randomBytes(12).toString("hex");

beforeAll(async () => {
  const collectors = { ...fakeCatalog.collectors, sessions };
  api = await withApi(await withLedger(), { ...fakeCatalog, collectors });
  await applyText(api, everything, { [connectionIndex]: adminPassword });
  cli = await withCli(api);
});
afterAll(() => api.app.close());

interface Proposal {
  readonly id: string;
  readonly state: string;
  readonly applicationName: string;
}

const db = () => api.deps.ledger.db;
const report = { principal: "orders_a", database: "orders", address: "10.0.0.9", applicationName: "Night Report" };

async function seen(change: Partial<typeof report> = {}): Promise<string> {
  const client = { ...report, ...change };
  const { rows } = await sql<{ id: string }>`SELECT id FROM credentials WHERE name = 'orders'`.execute(db());
  await recordProposals(api.deps.ledger, { credentialId: rows[0]?.id ?? "" }, [client]);
  const found = await listed();
  return found.find(({ applicationName }) => applicationName === client.applicationName)?.id ?? "";
}

const listed = async (query = "?settled=true") =>
  (await api.ask("GET", `/proposals${query}`)).json["proposals"] as readonly Proposal[];
const stateOf = async (id: string) => (await listed()).find((one) => one.id === id)?.state;
const status = async () =>
  ((await api.ask("GET", "/status")).json["looks"] as readonly { readonly about: string }[]).find(
    ({ about }) => about === "Unregistered users",
  );

/** What a person changes of the manifest that is proposed. */
const edited = (manifest: string, path = "/srv/report.env") =>
  manifest
    .replace("kind: CHANGE-ME", "kind: fake-place")
    .replace("config: {}", `config: { path: ${path}, keys: { DB_PASSWORD: password } }`);

describe("a proposal to register who was seen", () => {
  it("is a manifest that registers it once its place is written in, and is closed by that", async () => {
    const id = await seen();
    expect(await status()).toMatchObject({ state: "warn", mend: "rekey consumer proposals --credential shop/orders" });
    const { code, out, err } = await cli.run(["consumer", "proposals", "show", id]);
    expect([code, err]).toEqual([0, expect.stringContaining("shop/orders")]);
    expect(out).toContain("name: night-report\n");
    await expect(applyText(api, out)).rejects.toThrow(/fake-place/);
    expect(await stateOf(id)).toBe("open");
    await applyText(api, edited(out));
    expect(await stateOf(id)).toBe("registered");
    expect((await api.ask("GET", `/proposals/${id}`)).json).toMatchObject({ consumer: "shop/night-report" });
    const consumer = (await api.ask("GET", "/consumers/night-report")).json;
    expect(consumer).toMatchObject({ credential: "shop/orders", team: "shop" });
    expect(await status()).toBeUndefined();
    expect((await cli.run(["consumer", "proposals"])).out).toContain("no proposal");
  });

  it("is closed by the watcher too, however its consumer was registered", async () => {
    const id = await seen({ applicationName: "Day Report" });
    const given = { database: "orders", networks: ["10.0.0.0/8"], instances: 1 };
    await sql`
      UPDATE consumers SET evidence = ${JSON.stringify({ collectors: { sessions: given } })}::jsonb WHERE name = 'web'`.execute(
      db(),
    );
    expect(await stateOf(id)).toBe("open");
    await createWatcher(api.deps, 60_000).runOnce();
    expect(await stateOf(id)).toBe("registered");
    await sql`UPDATE consumers SET evidence = '{"collectors": {}}' WHERE name = 'web'`.execute(db());
  });

  it("is closed by the approval of a grant whose consumer explains it", async () => {
    const id = await seen({ applicationName: "Team Report" });
    const { rows } = await sql<{ id: string }>`SELECT id FROM teams WHERE name = 'shop'`.execute(db());
    const team = await api.as("team", rows[0]?.id);
    const { text } = await api.ask("GET", `/proposals/${id}`);
    const { manifest } = JSON.parse(text) as { readonly manifest: string };
    const grant = await grantFor(team, edited(manifest, "/srv/team.env"));
    expect(await stateOf(id)).toBe("open");
    expect(await approve(api, grant)).toMatchObject({ status: 200 });
    expect(await stateOf(id)).toBe("registered");
  });

  it("is closed however many others stay open, seen later or earlier than it", async () => {
    const explained = await seen({ applicationName: "First Of Many" });
    await sql`
      INSERT INTO proposals (id, credential_id, address, application_name, database, principal)
      SELECT 'prp_' || side || lpad(n::text, 25, '0'), p.credential_id, '10.9.0.1', 'other ' || side || n, p.database, p.principal
      FROM proposals p, generate_series(1, 1100) n, (VALUES ('0'), ('z')) AS sides (side) WHERE p.id = ${explained}`.execute(
      db(),
    );
    const collectors = { sessions: { database: "orders", networks: ["10.0.0.9/32"], instances: 1 } };
    await sql`UPDATE consumers SET evidence = ${JSON.stringify({ collectors })}::jsonb WHERE name = 'web'`.execute(
      db(),
    );
    await createWatcher(api.deps, 60_000).runOnce();
    const { rows } = await sql<{ state: string; n: number }>`
      SELECT state, count(*) AS n FROM proposals WHERE id = ${explained} OR application_name LIKE 'other %'
      GROUP BY 1 ORDER BY 1`.execute(db());
    expect(rows).toEqual([
      { state: "open", n: 2200 },
      { state: "registered", n: 1 },
    ]);
    await sql`DELETE FROM proposals WHERE application_name LIKE 'other %'`.execute(db());
    await sql`UPDATE consumers SET evidence = '{"collectors": {}}' WHERE name = 'web'`.execute(db());
  });

  it("stays open while no consumer explains it: one of another place, or of another application from there", async () => {
    const id = await seen({ address: "10.0.0.77", applicationName: "elsewhere" });
    const other = await seen({ applicationName: "dressed up" });
    await createWatcher(api.deps, 60_000).runOnce();
    expect([await stateOf(id), await stateOf(other)]).toEqual(["open", "open"]);
  });

  it("is dismissed by a person with a reason, once, and no secret stands in that", async () => {
    const id = await seen({ applicationName: "once a year" });
    const dismiss = ["consumer", "proposals", "dismiss", id, "--reason"];
    const leaking = await cli.run([...dismiss, `it logs in with ${adminPassword}`]);
    expect(leaking.code).not.toBe(0);
    expect(leaking.err + leaking.out).not.toContain(adminPassword);
    expect(await stateOf(id)).toBe("open");
    const { code, out } = await cli.run([...dismiss, "the yearly audit"]);
    expect([code, out]).toEqual([0, expect.stringContaining("asks all the same")]);
    expect((await cli.run([...dismiss, "again"])).err).toContain("settled already");
    const line = (await cli.run(["consumer", "proposals", "--settled"])).out
      .split("\n")
      .find((one) => one.includes(id));
    expect(line).toMatch(/once a year .* dismissed by tok_\w+: the yearly audit/);
    expect((await listed("")).map((one) => one.id)).not.toContain(id);
    const nobody = await cli.run(["consumer", "proposals", "show", "prp_none"]);
    expect(nobody.err).toContain("rekey consumer proposals --settled");
  });

  it("tells in a terminal nothing that its client has made up", async () => {
    const id = await seen({ applicationName: "\u001b[2Jreport\nspec:" });
    const shown = await cli.run(["consumer", "proposals", "show", id]);
    const table = await cli.run(["consumer", "proposals"]);
    for (const text of [shown.out, shown.err, table.out]) expect(text).not.toContain("\u001b");
    await applyText(api, edited(shown.out, "/srv/odd.env"));
    expect(await stateOf(id)).toBe("registered");
  });
});
