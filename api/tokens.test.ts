import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { team } from "../test/harness/manifests.ts";

let test: TestLedger;
let api: TestApi;

beforeAll(async () => {
  test = await withLedger();
  api = await withApi(test);
  const body = { files: [{ name: "team.yaml", text: team }] };
  const { json } = await api.ask("POST", "/manifests/apply", body);
  await api.ask("POST", "/manifests/apply", { ...body, planDigest: json["digest"] });
});

const day = 86_400_000;
const make = (body: object) => api.ask("POST", "/tokens", { expiresInMs: 90 * day, ...body });
const rows = async () => (await api.ask("GET", "/tokens")).json["tokens"] as Record<string, unknown>[];
const row = async (id: unknown) => (await rows()).find((one) => one["id"] === id);
const withToken = (token: unknown, path = "/credentials") =>
  api.ask("GET", path, undefined, { headers: { host: "127.0.0.1", authorization: `Bearer ${String(token)}` } });

describe("a token", () => {
  it("is answered once, works with its role until it expires, and is listed with its last use", async () => {
    const { status, json } = await make({ role: "auditor", description: "the yearly audit" });
    expect(status).toBe(200);
    expect(json["token"]).toMatch(/^rk_[A-Za-z0-9_-]{43}$/);
    const listed = await row(json["id"]);
    expect(listed).toMatchObject({ role: "auditor", team: null, description: "the yearly audit", state: "valid" });
    expect(listed).toMatchObject({ madeBy: api.tokenId, lastUsedAt: null });
    expect(Date.parse(String(listed?.["expiresAt"])) - Date.parse(String(listed?.["createdAt"]))).toBeCloseTo(
      90 * day,
      -4,
    );
    expect((await withToken(json["token"])).status).toBe(200);
    expect((await row(json["id"]))?.["lastUsedAt"]).toEqual(expect.any(String));
    expect((await withToken(json["token"], "/tokens")).status).toBe(403);
  });

  it("invariant 6: is in no other answer, in no row of the ledger and in no line of the log", async () => {
    const { json } = await make({ role: "operator" });
    const token = String(json["token"]);
    const answers = [await api.ask("GET", "/tokens"), await api.ask("GET", "/audit?limit=500"), await withToken(token)];
    for (const { text } of answers) expect(text).not.toContain(token.slice(3));
    const stored = await sql<{ text: string }>`
      SELECT (SELECT string_agg(k::text, '') FROM tokens k) || (SELECT string_agg(a::text, '') FROM audit a)
        || (SELECT string_agg(o::text, '') FROM outbox o) AS text`.execute(test.ledger.db);
    expect(stored.rows[0]?.text).toContain("auditor");
    for (const text of [stored.rows[0]?.text, api.logged.join("")]) {
      expect(text).not.toContain(token.slice(3));
      expect(text).not.toContain(Buffer.from(token).toString("hex"));
    }
  });

  it("names its team when it is a team's, and only then", async () => {
    const { json } = await make({ role: "team", team: "shop" });
    expect(await row(json["id"])).toMatchObject({ role: "team", team: "shop" });
    expect((await make({ role: "team" })).json).toMatchObject({ code: "request_invalid" });
    expect((await make({ role: "operator", team: "shop" })).json).toMatchObject({ code: "request_invalid" });
    expect((await make({ role: "team", team: "nobody" })).json).toMatchObject({ code: "not_found" });
  });

  it.each([{ role: "root" }, { role: "operator", expiresInMs: 0 }, { role: "operator", expiresInMs: 400 * day }])(
    "is not made of %o",
    async (body) => {
      const before = (await rows()).length;
      expect((await make(body)).status).toBe(400);
      expect((await rows()).length).toBe(before);
    },
  );

  it("is refused from its next request on once it is revoked, which happens once", async () => {
    const { json } = await make({ role: "operator" });
    const revoke = () => api.ask("POST", `/tokens/${String(json["id"])}/revoke`, {});
    expect((await withToken(json["token"])).status).toBe(200);
    expect((await revoke()).json).toMatchObject({ isNew: true });
    const { status, json: said } = await withToken(json["token"]);
    expect([status, said["detail"]]).toEqual([401, "The token was revoked."]);
    expect((await revoke()).json).toMatchObject({ isNew: false });
    expect(await row(json["id"])).toMatchObject({ state: "revoked" });
    expect((await api.ask("GET", "/tokens?valid=true")).text).not.toContain(String(json["id"]));
    expect((await api.ask("POST", "/tokens/tok_none/revoke", {})).status).toBe(404);
  });

  it("invariant 15: leaves who made and who revoked it in the audit trail, each once", async () => {
    const { json } = await make({ role: "responder", description: "night" });
    await api.ask("POST", `/tokens/${String(json["id"])}/revoke`, {});
    await api.ask("POST", `/tokens/${String(json["id"])}/revoke`, {});
    const audit = (await api.ask("GET", "/audit")).json["rows"] as Record<string, unknown>[];
    const about = audit.filter(({ details }) => (details as { token?: string }).token === json["id"]);
    expect(about).toMatchObject([
      { action: "token.revoked", actor: api.tokenId },
      { action: "token.made", actor: api.tokenId, details: { role: "responder", description: "night" } },
    ]);
  });

  it("invariant 15: is neither made nor revoked when that cannot be recorded", async () => {
    const { json } = await make({ role: "operator" });
    const { db } = test.ledger;
    await sql`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$`.execute(
      db,
    );
    await sql`CREATE TRIGGER full_disk BEFORE INSERT ON audit EXECUTE FUNCTION full_disk()`.execute(db);
    const before = (await rows()).length;
    expect((await make({ role: "operator" })).status).toBe(500);
    expect((await api.ask("POST", `/tokens/${String(json["id"])}/revoke`, {})).status).toBe(500);
    await sql`DROP TRIGGER full_disk ON audit`.execute(db);
    expect((await rows()).length).toBe(before);
    expect((await withToken(json["token"])).status).toBe(200);
  });
});
