import { createHash } from "node:crypto";
import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../../ledger/new-id.ts";
import { catalog } from "../../providers/catalog.ts";
import { withApi, type TestApi } from "../harness/api.ts";
import { withCli, type CliPlace } from "../harness/cli.ts";
import { register, type RegisterOptions, type Registered } from "../harness/registered.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { openWorld, untilClosed, type World } from "../harness/world.ts";

interface Part {
  readonly part: string;
  readonly state: string;
  readonly text: string;
}

describe.runIf(hasTemporal)("rekey consumer", () => {
  let world: World;
  let api: TestApi;
  let cli: CliPlace;

  beforeAll(async () => {
    world = await openWorld();
    api = await withApi(world, catalog);
    cli = await withCli(api);
    await world.startWorker();
  });

  afterAll(async () => {
    await api?.app.close();
    await world?.close();
  });

  async function registered(options: RegisterOptions = {}): Promise<Registered & { readonly ref: string }> {
    const orders = await register(world, options);
    const { rows } = await sql<{ ref: string }>`
      SELECT t.name || '/' || n.name AS ref FROM consumers n JOIN teams t ON t.id = n.team_id
      WHERE n.id = ${orders.consumerId}`.execute(world.ledger.db);
    return { ...orders, ref: rows[0]?.ref ?? "" };
  }

  /** What an onlooker could notice at the target and beside it. */
  async function fingerprint(file: string) {
    const { mtimeMs, ctimeMs, ino, mode, uid, gid } = await stat(file);
    const content = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    return { content, mtimeMs, ctimeMs, ino, mode, uid, gid, beside: await readdir(dirname(file)) };
  }

  async function test(
    ref: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ readonly code: number | null; readonly parts: Record<string, Part> }> {
    const { code, out, err } = await cli.run(["consumer", "test", ref, "--json"], { env });
    const { result } = JSON.parse(out || err) as { readonly result?: { readonly parts: readonly Part[] } };
    return { code, parts: Object.fromEntries((result?.parts ?? []).map((part) => [part.part, part])) };
  }

  it("invariant 12: tests delivery, content, evidence and sessions, and the live value is untouched", async () => {
    const orders = await registered();
    const before = await fingerprint(orders.file);
    const { code, out } = await cli.run(["consumer", "test", orders.ref]);
    expect(await fingerprint(orders.file)).toEqual(before);
    expect(out).toContain("ok   target");
    expect(out).toMatch(/ok +content +.* holds version 1, the current one\./);
    expect(out).toMatch(/ok +delivery +A made-up value was written beside the file with mode 0600/);
    expect(out).toMatch(/ok +sessions +observed: 1 of its instances on version 1\./);
    expect(out).toMatch(/ok +sessions seen +Open on the current version now: [1-9]/);
    expect(code).toBe(0);
    expect(out).not.toContain(orders.password);
    const { rows } = await sql<{ action: string }>`
      SELECT action FROM audit WHERE credential_id = ${orders.credentialId} AND action LIKE 'check.%' ORDER BY id DESC
      LIMIT 2`.execute(world.ledger.db);
    expect(rows.map(({ action }) => action)).toEqual(["check.done", "check.requested"]);
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("names a session that is nobody's, and a consumer that is not there", async () => {
    const orders = await registered();
    const { database } = orders;
    await world.issuer.openSession(orders.logins[0] ?? "", orders.password, { database, name: "night-report" });
    await orders.shop.close();
    const { code, parts } = await test(orders.ref);
    expect(code).toBe(1);
    expect(parts["sessions seen"]).toMatchObject({ state: "not", text: expect.stringContaining("night-report") });
    expect(parts["sessions"]).toMatchObject({ state: "not", text: expect.stringContaining("0 of 1 instances") });
    expect(parts["delivery"]).toMatchObject({ state: "ok" });
  });

  it("names nobody else to a team whose consumer runs on another team's credential, nor the issuer", async () => {
    const orders = await registered();
    const { database } = orders;
    await world.issuer.openSession(orders.logins[0] ?? "", orders.password, { database, name: "night-report" });
    const teamId = newId("team");
    await sql`INSERT INTO teams (id, name) VALUES (${teamId}, ${teamId})`.execute(world.ledger.db);
    await sql`UPDATE consumers SET team_id = ${teamId} WHERE id = ${orders.consumerId}`.execute(world.ledger.db);
    const { token } = await api.as("team", teamId);
    const env = { REKEY_TOKEN_FILE: await cli.file("team", token) };
    const { parts } = await test(orders.consumerId, env);
    expect(parts["sessions seen"]).toMatchObject({
      state: "ok",
      text: expect.stringMatching(/this consumer's: [1-9]/),
    });
    expect(parts["target"]).toMatchObject({ state: "ok" });
    expect(JSON.stringify(parts)).not.toContain("night-report");
    await sql`UPDATE connections SET identity = 'another' WHERE id = ${orders.connectionId}`.execute(world.ledger.db);
    const away = (await test(orders.consumerId, env)).parts["sessions seen"];
    expect(away).toMatchObject({ state: "left-out", text: expect.stringContaining("owner sees more") });
    expect(JSON.stringify(away)).not.toContain("reaches");
    await orders.shop.close();
  });

  it("says of a target that somebody changed what a rotation would hold for", async () => {
    const orders = await registered();
    await writeFile(orders.file, (await readFile(orders.file, "utf8")).replace(orders.password, "Somebody-3lse"));
    const { code, parts } = await test(orders.ref);
    expect([code, parts["content"]?.state]).toEqual([1, "not"]);
    expect(parts["content"]?.text).toContain("a value that rekey did not put there");
    await orders.shop.close();
  });

  it("asks each instance by challenge for the current version, and tells an issuer that is away from that", async () => {
    const evidence = { collectors: { challenge: { url: "https://127.0.0.1:9/rekey", instances: { count: 1 } } } };
    const orders = await registered({ evidence });
    const { parts } = await test(orders.ref);
    expect(parts["challenge"]).toMatchObject({
      state: "not",
      text: expect.stringContaining("correct evidence.challenge in its manifest"),
    });
    await orders.shop.close();
    await sql`UPDATE connections SET identity = 'another' WHERE id = ${orders.connectionId}`.execute(world.ledger.db);
    const away = (await test(orders.ref)).parts;
    expect(away["sessions seen"]).toMatchObject({
      state: "not",
      text: expect.stringContaining("reaches another server"),
    });
    expect(away["target"]).toMatchObject({ state: "ok" });
  });

  it("shows which evidence it gave, which it could give, and what to write for that", async () => {
    const orders = await registered();
    await untilClosed(world, await orders.rotate());
    const { out } = await cli.run(["consumer", "show", orders.ref]);
    expect(out).toContain(`Target      file:${orders.file}`);
    expect(out).toContain("version 2, the current one");
    expect(out).toMatch(/Asked for +observed evidence/);
    expect(out).toMatch(/attested +challenge: .*not asked for; the application has to be changed for it/);
    expect(out).toMatch(/observed +sessions: .*\n +complete, version 2, 1 instance, /);
    expect(out).toContain("The next stronger one is challenge, attested");
    expect(out).toMatch(/ {4}spec:\n {6}evidence:\n {8}sessions:\n/);
    expect(out).toContain("url: https://orders.internal:8443/rekey/challenge");
    const list = await cli.run(["consumer", "list", "--team", orders.ref.split("/")[0] ?? ""]);
    expect(list.out).toMatch(new RegExp(`${orders.ref} .* file +version 2 +observed +observed +observed, version 2, `));
    await orders.shop.close();
  });

  it("answers a name that is none, and one that several have, with what to write", async () => {
    const [one, other] = [await registered(), await registered()];
    const none = await cli.run(["consumer", "show", "shopp"]);
    expect([none.code, none.err]).toEqual([1, expect.stringContaining("Did you mean")]);
    const several = await cli.run(["consumer", "show", "shop"]);
    expect([several.code, several.err]).toEqual([2, expect.stringContaining("Several consumers have that name")]);
    for (const each of [one, other]) await each.shop.close();
  });
});
