import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { allow, askedFor, clusteredCatalog } from "../test/harness/asking-teams.ts";
import { withCli, type CliPlace, type Ran } from "../test/harness/cli.ts";
import { withLedger } from "../test/harness/ledger.ts";

let api: TestApi;
let cli: CliPlace;
/** Runs a command with one of two tokens of team alder. */
let first: (...args: string[]) => Promise<Ran>;
let second: (...args: string[]) => Promise<Ran>;

beforeAll(async () => {
  api = await withApi(await withLedger(), clusteredCatalog);
  cli = await withCli(api);
  await adopted(api, "orders", "alder");
  await allow(api, "{ alder: [web] }");
  const { rows } = await sql<{ id: string }>`SELECT id FROM teams WHERE name = 'alder'`.execute(api.deps.ledger.db);
  const withToken = async (name: string) => {
    const env = { REKEY_TOKEN_FILE: await cli.file(name, (await api.as("team", rows[0]?.id)).token) };
    return (...args: string[]) => cli.run(args, { env });
  };
  [first, second] = [await withToken("first"), await withToken("second")];
});

afterAll(() => api.app.close());

const idIn = ({ out }: Ran) => /grt_[0-9a-z]{26}/.exec(out)?.[0] ?? "";
const digestIn = ({ out }: Ran) => /[0-9a-f]{64}/.exec(out)?.[0] ?? "";

describe("a team's consumer", () => {
  it("is asked for from a file, read, approved by another token, and then registered", async () => {
    const file = await cli.file("pods.yaml", askedFor());
    const dry = await first("consumer", "register", "-f", file, "--dry-run");
    expect([dry.code, dry.out]).toEqual([0, expect.stringContaining("it is a dry run")]);
    const asked = await first("consumer", "register", "-f", file);
    expect(asked.code).toBe(0);
    expect(asked.out).toMatch(
      /^\+ Consumer alder\/pods of alder\/orders create\n {4}Asked for: grt_\w+, digest [0-9a-f]{64}\n/,
    );
    const id = idIn(asked);
    expect((await first("consumer", "register", "-f", file)).out).toContain(`It waits already: ${id}`);
    expect((await first("grant", "list", "--state", "pending")).out).toMatch(new RegExp(`${id} +pending +create`));

    const read = await second("grant", "show", id);
    for (const text of [
      "alder/pods, new",
      "platform/cluster",
      "fake-secret:/srv/cluster/web/orders",
      "spec.config.secret",
    ])
      expect(read.out).toContain(text);
    expect(read.out).toContain(`rekey grant approve ${id} --digest ${digestIn(asked)}`);
    const own = await first("grant", "approve", id, "--digest", digestIn(asked));
    expect([own.code, own.err]).toEqual([1, expect.stringContaining("Nobody approves what they asked for themselves")]);
    const yes = await second("grant", "approve", id, "--digest", digestIn(read));
    expect([yes.code, yes.out]).toEqual([0, expect.stringContaining("Approved and registered")]);
    expect((await first("consumer", "list")).out).toContain("alder/pods");
    expect((await first("consumer", "register", "-f", file)).out).toBe(
      "= Consumer alder/pods of alder/orders unchanged\n",
    );
  });

  it("is changed by a grant, which its team withdraws or its owner refuses with a reason", async () => {
    const file = await cli.file("moved.yaml", askedFor({ secret: "moved" }));
    const asked = await first("consumer", "register", "-f", file);
    expect(asked.out).toContain('spec.config.secret: "orders" → "moved"');
    expect((await first("grant", "withdraw", idIn(asked))).out).toContain("stays in force");
    const again = await first("consumer", "register", "-f", file);
    expect((await second("grant", "refuse", idIn(again))).code).toBe(2);
    expect((await second("grant", "refuse", idIn(again), "--reason", "next week")).code).toBe(0);
    expect((await first("grant", "show", idIn(again))).out).toMatch(/refused\n[\s\S]*Because +next week/);
    expect((await first("grant", "list", "--state", "pending")).out).toContain("No grant fits --state pending");
  });

  it("is acknowledged and retired by its team, and says what that means", async () => {
    const nothing = await first("consumer", "ack", "pods", "--version", "2");
    expect([nothing.code, nothing.err]).toEqual([1, expect.stringContaining("No rotation of its credential is open")]);
    await api.ask("POST", "/credentials/alder%2Forders/rotate", {});
    const rotation = await first("rotation", "show", "orders");
    expect([rotation.code, rotation.out]).toEqual([0, expect.stringContaining("alder/pods")]);
    expect(rotation.out).not.toContain("Timeline");
    expect((await cli.run(["rotation", "show", "alder/orders"])).out).toContain("Timeline");
    const early = await first("consumer", "ack", "pods", "--version", "2");
    expect([early.code, early.err]).toEqual([1, expect.stringContaining("has delivered nothing to it yet")]);
    expect((await first("--version")).out).toMatch(/^\d+\.\d+\.\d+/);
    const asked = await first("consumer", "retire", "pods");
    expect([asked.code, asked.err]).toEqual([2, expect.stringContaining("Add --yes")]);
    expect(asked.out).toContain("What lies there stays.");
    expect((await first("consumer", "retire", "pods", "--yes")).out).toContain("Retired.");
    expect((await first("consumer", "list")).out).not.toContain("alder/pods");
  });

  it("runs on another team's credential once that team has shared it", async () => {
    await adopted(api, "payments", "birch");
    await allow(api, "{ alder: [web] }");
    const file = await cli.file(
      "reads.yaml",
      askedFor({ name: "reads", secret: "reads", credential: "birch/payments" }),
    );
    const unseen = await first("consumer", "register", "-f", file);
    expect([unseen.code, unseen.err]).toEqual([2, expect.stringContaining("names no credential that exists")]);
    const shared = await cli.run(["credential", "share", "birch/payments", "--team", "alder"]);
    expect([shared.code, shared.out]).toEqual([0, expect.stringContaining("A team called alder sees it")]);
    expect((await cli.run(["credential", "show", "birch/payments"])).out).toMatch(/Shared +with alder/);
    const asked = await first("consumer", "register", "-f", file);
    expect(asked.code).toBe(0);
    expect((await first("grant", "show", idIn(asked))).out).toContain("It waits for the credential's owner.");
    expect((await cli.run(["credential", "unshare", "birch/payments", "--team", "alder"])).code).toBe(0);
    const late = await cli.run(["grant", "approve", idIn(asked), "--digest", digestIn(asked)]);
    expect([late.code, late.err]).toEqual([1, expect.stringContaining("outdated")]);
  });
});
