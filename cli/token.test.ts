import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withCli, type CliPlace } from "../test/harness/cli.ts";
import { withLedger } from "../test/harness/ledger.ts";

let api: TestApi;
let cli: CliPlace;

beforeAll(async () => {
  api = await withApi(await withLedger());
  cli = await withCli(api);
});

afterAll(() => api.app.close());

describe("rekey token", () => {
  it("create writes the token alone to standard output, for a file that the next command takes", async () => {
    const { code, out, err } = await cli.run(["token", "create", "--role", "auditor", "--expires", "30d"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^rk_[A-Za-z0-9_-]{43}\n$/);
    expect(err).toMatch(/Token tok_\w+ of the role auditor lives until/);
    expect(err).not.toContain(out.trim());
    const env = { REKEY_TOKEN_FILE: await cli.file("auditor", out) };
    expect((await cli.run(["credential", "list"], { env })).code).toBe(0);
    const refused = await cli.run(["token", "list"], { env });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("The role auditor may not; these may: admin.");
    expect(refused.err).toContain("Next: Ask somebody");
  });

  it("list shows each with its last use, and revoke ends one", async () => {
    const made = await cli.run(["token", "create", "--role", "operator", "--description", "night shift", "--json"]);
    const { id, token } = JSON.parse(made.out) as { readonly id: string; readonly token: string };
    expect(made.err).toBe("");
    const env = { REKEY_TOKEN_FILE: await cli.file("operator", token) };
    const line = async () => (await cli.run(["token", "list"])).out.split("\n").find((one) => one.includes(id));
    expect(await line()).toMatch(/operator +valid .* never .* night shift/);
    expect((await cli.run(["credential", "list"], { env })).code).toBe(0);
    expect(await line()).not.toContain("never");
    expect((await cli.run(["token", "revoke", id])).out).toContain("Revoked");
    expect((await cli.run(["token", "revoke", id])).out).toContain("before");
    expect(await line()).toMatch(/operator +revoked /);
    const refused = await cli.run(["credential", "list"], { env });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("The token was revoked.");
    expect((await cli.run(["token", "list", "--valid"])).out).not.toContain(id);
  });

  it("says which roles there are, and that a team's token names its team", async () => {
    const wrong = await cli.run(["token", "create", "--role", "root"]);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain("admin, operator, responder, team, auditor, metrics");
    const without = await cli.run(["token", "create", "--role", "team"]);
    expect(without.code).toBe(2);
    expect(without.err).toContain("names its team");
    expect((await cli.run(["token", "create", "--role", "team", "--team", "none"])).err).toContain("rekey export team");
  });
});
