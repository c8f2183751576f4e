import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { routes } from "./route-table.ts";
import { tokenDigest } from "./new-token.ts";

let test: TestLedger;
let api: TestApi;

beforeAll(async () => {
  test = await withLedger();
  api = await withApi(test);
});

const withHeaders = (headers: Record<string, string>) => api.ask("GET", "/credentials", undefined, { headers });
const authorized = (headers: Record<string, string>) =>
  withHeaders({ authorization: `Bearer ${api.token}`, ...headers });

describe("who is heard", () => {
  it("the bearer of a token, by each name of the loopback address", async () => {
    for (const host of ["127.0.0.1:7390", "localhost:7390", "[::1]:7390", "LOCALHOST"])
      expect((await authorized({ host })).status).toBe(200);
  });

  it.each(["rekey.evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7390", "10.0.0.1", "127.0.0.1:1:2"])(
    "nobody by the name %s, whatever it resolves to",
    async (host) => {
      const { status, json } = await authorized({ host });
      expect(status).toBe(403);
      expect(json).toMatchObject({ code: "host_refused" });
    },
  );

  it("no page of another origin", async () => {
    const host = "127.0.0.1:7390";
    expect((await authorized({ host, origin: "https://evil.example" })).status).toBe(403);
    expect((await authorized({ host, origin: "http://localhost:5173" })).status).toBe(200);
  });

  it.each(["", "Bearer", "Bearer rk_short", "Basic abc"])("nobody without a token: %o", async (authorization) => {
    const { status, json } = await withHeaders({ host: "127.0.0.1", authorization });
    expect(status).toBe(401);
    expect(json).toMatchObject({ code: "token_refused", next: expect.stringContaining("REKEY_TOKEN_FILE") });
  });

  it("nobody with another token, which is not repeated", async () => {
    const other = `rk_${randomBytes(32).toString("base64url")}`;
    const { status, text } = await withHeaders({ host: "127.0.0.1", authorization: `Bearer ${other}` });
    expect(status).toBe(401);
    expect(text).not.toContain(other);
  });

  it("nobody with an expired token", async () => {
    const own = await withApi(test);
    await sql`UPDATE tokens SET expires_at = clock_timestamp() WHERE digest = ${tokenDigest(own.token)}`.execute(
      test.ledger.db,
    );
    const { status, json } = await own.ask("GET", "/credentials");
    expect(status).toBe(401);
    expect(json).toMatchObject({ detail: "The token has expired." });
  });
});

describe("what is answered", () => {
  it("a problem with code, title, detail and what to do next, also where there is no route", async () => {
    const { status, json } = await api.ask("GET", "/nothing");
    expect(status).toBe(404);
    expect(json).toMatchObject({
      type: "urn:rekey:error:not_found",
      code: "not_found",
      title: expect.any(String),
      detail: expect.any(String),
      next: expect.any(String),
    });
  });

  it("a problem that names the field and not what was sent in it", async () => {
    const secret = randomBytes(12).toString("hex");
    const { status, text, json } = await api.ask("POST", "/manifests/apply", { files: [{ name: 1, text: secret }] });
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: "request_invalid", detail: expect.stringContaining("files") });
    expect(text).not.toContain(secret);
  });

  it.each(["{", '{"files": '])("a problem for the body %s", async (payload) => {
    const { status, json } = await api.ask("POST", "/manifests/apply", undefined, {
      headers: {
        host: "127.0.0.1",
        authorization: `Bearer ${api.token}`,
        "content-type": "application/json",
      },
      payload,
    });
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: "request_invalid" });
  });

  it.each([
    ["has an escape that is none", (secret: string) => `/credentials/%zz${secret}`],
    ["is too long", (secret: string) => `/credentials/${secret.repeat(50)}`],
  ])("invariant 6: a problem for an address that %s, which is not repeated", async (_, path) => {
    const secret = randomBytes(12).toString("hex");
    const { status, text, json } = await api.ask("GET", path(secret));
    expect(status).toBeGreaterThanOrEqual(400);
    expect(json).toMatchObject({ code: expect.any(String), next: expect.any(String) });
    expect(text).not.toContain(secret);
    expect(api.logged.join("")).not.toContain(secret);
  });

  it("a problem that names a field in words, and no field that is the caller's own", async () => {
    const secret = randomBytes(12).toString("hex");
    const limited = await api.ask("GET", "/credentials?limit=0");
    expect(limited.json["detail"]).toBe("The parameter limit is empty or too small.");
    const { status, text } = await api.ask("POST", "/credentials/x/adopt", { secret: "x", fields: { [secret]: 1 } });
    expect(status).toBe(400);
    expect(text).toContain("The field fields is missing, or is not what is asked for.");
    expect(text).not.toContain(secret);
  });

  it("a problem for a body beyond the limit", async () => {
    const { status, json } = await api.ask("POST", "/manifests/apply", { files: [], pad: "x".repeat(5_000_000) });
    expect(status).toBe(413);
    expect(json).toMatchObject({ code: "request_invalid" });
  });

  it("an OpenAPI document of every route", async () => {
    const { json } = await api.ask("GET", "/openapi.json");
    const operations = Object.values(json["paths"] as Record<string, Record<string, { operationId: string }>>)
      .flatMap((path) => Object.values(path))
      .map(({ operationId }) => operationId);
    expect(operations.toSorted()).toEqual(Object.keys(routes).toSorted());
  });

  it("that the ledger does not answer, when it does not", async () => {
    const own = await withLedger();
    const cut = await withApi(own);
    await own.ledger.close();
    const { status, json } = await cut.ask("GET", "/health");
    expect(status).toBeGreaterThanOrEqual(500);
    expect(json).toMatchObject({ code: expect.stringMatching(/^(ledger_unreachable|internal)$/) });
  });

  it("invariant 6: the log has the route's pattern and the caller's id, neither address nor token", async () => {
    await api.ask("GET", "/credentials/some-marker");
    const line = api.logged.findLast((one) => one.includes("/credentials/:credential"));
    expect(line).toContain('"token":"tok_');
    expect(api.logged.join("")).not.toContain("some-marker");
    expect(api.logged.join("")).not.toContain(api.token);
  });
});
