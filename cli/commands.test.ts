import { randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finishCheck, readDueChecks } from "../ledger/checks.ts";
import { adopted, holdRotations } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withCli, type CliPlace } from "../test/harness/cli.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { credential, everything } from "../test/harness/manifests.ts";

let api: TestApi;
let cli: CliPlace;

beforeAll(async () => {
  api = await withApi(await withLedger());
  cli = await withCli(api);
});

afterAll(() => api.app.close());

const newSecret = () => randomBytes(12).toString("hex");
const parsed = (text: string) => JSON.parse(text) as Record<string, unknown>;

async function newRotation(): Promise<{ readonly ref: string; readonly rotation: string }> {
  const ref = await adopted(api);
  const { out } = await cli.run(["rotate", ref, "--json", "--reason", "due"]);
  return { ref, rotation: parsed(out)["id"] as string };
}

async function close(rotation: string, outcome: string): Promise<void> {
  await sql`
    UPDATE rotations SET outcome = ${outcome}, phase = 'closed', closed_at = clock_timestamp() WHERE id = ${rotation}`.execute(
    api.deps.ledger.db,
  );
}

describe("rekey apply", () => {
  const withFile = (path: string) => everything.replace("given", `{ file: ${path} }`);

  it("shows the plan and applies nothing without a terminal unless told so", async () => {
    const secret = newSecret();
    const path = await cli.file("plan.yaml", withFile(await cli.file("secret", `${secret}\n`)));
    const planned = await cli.run(["apply", "-f", path]);
    expect(planned).toMatchObject({ code: 2, err: expect.stringContaining("Add --yes") });
    expect(planned.out).toContain("+ Connection shop/main create");
    const dry = await cli.run(["apply", "-f", path, "--dry-run", "--exit-code"]);
    expect(dry.code).toBe(5);
    const applied = await cli.run(["apply", "-f", path, "--yes"]);
    expect(applied).toMatchObject({ code: 0, out: expect.stringContaining("Applied.") });
    const again = await cli.run(["apply", "-f", path, "--dry-run", "--exit-code", "--json"]);
    expect(again.code).toBe(0);
    const items = parsed(again.out)["items"] as { action: string }[];
    expect(new Set(items.map(({ action }) => action))).toEqual(new Set(["unchanged"]));
    for (const { out, err } of [planned, dry, applied, again]) expect(out + err).not.toContain(secret);
  });

  it("shows from what to what a field changes", async () => {
    const path = await cli.file("change.yaml", credential.replace("2s", "1h"));
    const { out } = await cli.run(["apply", "-f", path, "--dry-run"]);
    expect(out).toContain('    spec.policy.grace: "2s" → "1h"');
  });

  it("says each mistake with file, line and column", async () => {
    const path = await cli.file("wrong.yaml", credential.replace("grace", "grase"));
    const { code, err } = await cli.run(["apply", "-f", path, "--yes"]);
    expect(code).toBe(2);
    expect(err).toContain(`${path}:7:13: spec.policy.grase is no field here; did you mean grace?`);
    expect(err).not.toMatch(/^\s+at /m);
  });

  it("reads manifests from a folder and from standard input, and secrets from variables", async () => {
    const text = everything
      .replaceAll("shop", "press")
      .replace("/srv/web.env", "/srv/press.env")
      .replace("given", "{ env: MY_SECRET }");
    const { code } = await cli.run(["apply", "-f", "-", "--yes"], { input: text, env: { MY_SECRET: newSecret() } });
    expect(code).toBe(0);
    const none = await cli.run(["apply", "-f", "-", "--yes"], { input: text });
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining("MY_SECRET that secretFrom names is not set") });
    expect((await cli.run(["apply", "-f", cli.folder, "--dry-run"])).err).toContain("wrong.yaml:7:13");
  });

  it("refuses to read standard input twice, a file that is not there, and a missing secret file", async () => {
    const text = everything.replace("given", "{ stdin: true }");
    expect(await cli.run(["apply", "-f", "-", "--yes"], { input: text })).toMatchObject({
      code: 2,
      err: expect.stringContaining("Standard input is needed twice"),
    });
    expect((await cli.run(["apply", "-f", "/nowhere.yaml"])).err).toContain("There is no file /nowhere.yaml");
    const path = await cli.file("gone.yaml", withFile("/nowhere/secret"));
    expect((await cli.run(["apply", "-f", path])).err).toContain("cannot be read or is empty");
  });
});

describe("rekey credential", () => {
  it("lists and shows, for people and as JSON", async () => {
    const ref = await adopted(api);
    expect((await cli.run(["credential", "list"])).out).toMatch(new RegExp(`${ref} +prod +fake-db +version 1`));
    const { out } = await cli.run(["credential", "show", ref]);
    expect(out).toContain("Logins      orders_a, orders_b");
    expect(out).toContain("asked for observed");
    expect(parsed((await cli.run(["credential", "show", ref, "--json"])).out)).toMatchObject({ currentVersion: 1 });
  });

  it("moves a credential's values and says what to write, or what hindered it", async () => {
    const ref = await adopted(api);
    const move = ["credential", "move", ref, "--custody", "embedded"];
    for (const ok of [false, true]) {
      const moving = cli.start(move);
      await moving.line("Check chk_");
      const [check] = await readDueChecks(api.deps.ledger, 1);
      const findings = ok ? [] : [{ code: "custody_unreachable" as const, detail: "The store does not answer." }];
      const result = { from: "far", to: "embedded", versions: [1] };
      await api.deps.ledger.db
        .transaction()
        .execute((trx) => finishCheck(trx, check?.checkId ?? "", { ok, findings, ...(ok ? { result } : {}) }));
      const { code, out } = await moving.ended;
      expect(code).toBe(ok ? 0 : 1);
      expect(out).toContain(ok ? "Write `custody: embedded`" : "The store does not answer.");
    }
    const { code, err } = await cli.run([...move.slice(0, -1), "nowhere"]);
    expect([code, err]).toEqual([expect.any(Number), expect.stringContaining("The settings name embedded")]);
    expect(code).not.toBe(0);
  });

  it("adopts a secret from standard input and prints what the check found", async () => {
    const ref = await adopted(api);
    await sql`UPDATE credentials SET current_version = NULL WHERE name = ${ref.split("/")[1] ?? ""}`.execute(
      api.deps.ledger.db,
    );
    await sql`DELETE FROM versions`.execute(api.deps.ledger.db);
    const secret = newSecret();
    const adopting = cli.start(["credential", "adopt", ref, "--username", "orders_a"], { input: `${secret}\n` });
    await adopting.line("Check chk_");
    const [check] = await readDueChecks(api.deps.ledger, 1);
    const findings = [
      { code: "candidate_refused" as const, detail: "The issuer refuses it.", mend: "ALTER ROLE orders_a LOGIN;" },
    ];
    await api.deps.ledger.db
      .transaction()
      .execute((trx) => finishCheck(trx, check?.checkId ?? "", { ok: false, findings }));
    const { code, out, err } = await adopting.ended;
    expect(code).toBe(1);
    expect(out).toContain("      ALTER ROLE orders_a LOGIN;");
    expect(out + err).not.toContain(secret);
    const shown = (await cli.run(["credential", "show", ref])).out;
    expect(shown).toMatch(/Current +none: what was given at .* was not adopted/);
    expect(shown).toContain("The issuer refuses it.");
    expect(shown).toContain(`rekey credential adopt ${ref} --username LOGIN`);
    expect(shown).toMatch(/^ +1 +given, not adopted/m);
    expect(shown).not.toContain("intended");
  });

  it("lists the logins when --username is missing or wrong", async () => {
    const ref = await adopted(api);
    for (const args of [[], ["--username", "postgres"]]) {
      const { code, err } = await cli.run(["credential", "adopt", ref, ...args], { input: newSecret() });
      expect(code).toBe(2);
      expect(err).toContain("--username");
      expect(err).toContain("orders_a, orders_b");
    }
  });

  it("says of an empty choice which filter found nothing", async () => {
    await adopted(api);
    const none = await cli.run(["credential", "list", "--team", "nobody"]);
    expect([none.code, none.out]).toEqual([0, "No credential fits --team nobody. Leave that out to see all.\n"]);
    const ref = await adopted(api);
    const rotations = await cli.run(["rotation", "list", "--credential", ref, "--open"]);
    expect(rotations.out).toContain(`No rotation fits --credential ${ref} --open.`);
  });

  it("adopts nothing from an empty standard input", async () => {
    const ref = await adopted(api);
    expect(await cli.run(["credential", "adopt", ref])).toMatchObject({
      code: 2,
      err: expect.stringContaining("Standard input held nothing"),
    });
  });
});

describe("rekey rotate and rekey rotation", () => {
  it("plans with every call and the point of no return", async () => {
    const { out, code } = await cli.run(["rotation", "plan", await adopted(api)]);
    expect(code).toBe(0);
    expect(out).toContain("fake-db: end the old version");
    expect(out).toContain("‖ point of no return");
    expect(out).toContain("! Connection");
  });

  it("gives two operators one rotation", async () => {
    const ref = await adopted(api);
    const both = await Promise.all([1, 2].map(() => cli.run(["rotate", ref])));
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    const text = both.map(({ out }) => out).join("");
    expect(new Set(text.match(/rot_\w{26}/g)).size).toBe(1);
    expect(text).toContain("was open already");
  });

  it("shows to somebody in the night what it waits for, the gaps, and what to type", async () => {
    const { rotation, ref } = await newRotation();
    await holdRotations(api, rotation);
    const { out, code } = await cli.run(["rotation", "show", ref]);
    expect(code).toBe(0);
    expect(out).toContain("[delivered]");
    expect(out).toContain("Before the point of no return (‖)");
    expect(out).toContain("Waits for: A person, to answer hold 1");
    expect(out).toContain("     1. psql from a");
    expect(out).toContain(`$ rekey rotation accept ${rotation} --hold 1 --gaps 1,2 --reason "…"`);
    expect(out).toContain(`$ rekey rotation roll-back ${rotation} --hold 1`);
    expect(out).toContain(`$ rekey rotation abort ${rotation}\n`);
    const [team = ""] = ref.split("/");
    expect(out).toMatch(new RegExp(`gap 2 +${team}/web +team ${team} +#${team}`));
    expect(out).toMatch(new RegExp(`credential +${ref} +team ${team} +#${team}`));
    expect(out).toMatch(/wait +The hold has no time limit\. Both versions stay valid/);
    expect(out).toMatch(/rotation\.reserved +tok_/);
  });

  it("accepts only what is named, and then tells what comes next", async () => {
    const { rotation } = await newRotation();
    await holdRotations(api, rotation);
    const blind = await cli.run(["rotation", "accept", rotation]);
    expect(blind.code).toBe(2);
    expect(blind.err).toContain("--gaps");
    expect((await cli.run(["rotation", "accept", rotation, "--hold", "2", "--gaps", "all"])).code).toBe(2);
    expect((await cli.run(["rotation", "accept", rotation, "--hold", "1", "--gaps", "7"])).err).toContain("no gap 7");
    const short = await cli.run(["rotation", "accept", rotation, "--hold", "1", "--gaps", "1", "--reason", "known"]);
    expect(short.err).toContain("The decision does not name: stranger_seen:b.");
    const silent = await cli.run(["rotation", "accept", rotation, "--hold", "1", "--gaps", "1,2"]);
    expect([silent.code, silent.err]).toEqual([2, expect.stringContaining('Say why, with a reason (--reason "…")')]);
    const given = await cli.run(["rotation", "accept", rotation, "--hold", "1", "--gaps", "1,2", "--reason", "known"]);
    expect(given.out).toContain(`rekey rotation watch ${rotation}`);
  });

  it("pauses, extends and aborts, and says why it does not resume", async () => {
    const { rotation } = await newRotation();
    const resumed = await cli.run(["rotation", "resume", rotation]);
    for (const args of [["pause"], ["extend", "30m"], ["abort", "--reason", "late"]])
      expect((await cli.run(["rotation", args[0] ?? "", rotation, ...args.slice(1)])).code).toBe(0);
    expect(resumed).toMatchObject({ code: 1, err: expect.stringContaining("The rotation is not paused.") });
  });

  it("waits until it is closed: 0 when proven, 1 otherwise", async () => {
    for (const [outcome, code] of [
      ["proven", 0],
      ["undone", 1],
    ] as const) {
      const ref = await adopted(api);
      const waiting = cli.start(["rotate", ref, "--wait"]);
      const line = await waiting.line("reserved");
      expect(line).toContain("A worker to begin it");
      await close((await cli.run(["rotation", "show", ref, "--json"])).out.match(/rot_\w{26}/)?.[0] ?? "", outcome);
      expect(await waiting.ended).toMatchObject({ code, out: expect.stringContaining(`closed as ${outcome}`) });
    }
  });

  it("ends with 3 when a person is waited for, and with 4 when its time is over", async () => {
    const { rotation } = await newRotation();
    const late = await cli.run(["rotation", "watch", rotation, "--timeout", "1ms"]);
    expect(late).toMatchObject({ code: 4, err: expect.stringContaining("it goes on") });
    await holdRotations(api, rotation);
    const held = await cli.run(["rotation", "watch", rotation, "--json"]);
    expect(held.code).toBe(3);
    expect(parsed(held.out.trim().split("\n").at(-1) ?? "")).toMatchObject({ id: rotation, hold: { number: 1 } });
    const told = await cli.run(["rotation", "watch", rotation]);
    expect([told.code, told.out]).toEqual([
      3,
      expect.stringContaining(`rekey rotation accept ${rotation} --hold 1 --gaps 1,2 --reason "…"`),
    ]);
  });
});

describe("rekey audit", () => {
  it("lists rows with the date, the credential's name and its rotation", async () => {
    const { ref, rotation } = await newRotation();
    const { out } = await cli.run(["audit", "list", "--rotation", rotation]);
    expect(out).toMatch(
      new RegExp(`\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d +rotation.reserved +tok_\\w+ +${ref} +${rotation} `),
    );
    expect(out).not.toContain("crd_");
    expect((await cli.run(["audit", "list", "--rotation", `rot_${"0".repeat(26)}`])).out).toContain("No row fits");
  });

  it("says what is wrong with the file of an anchor", async () => {
    const gone = await cli.run(["audit", "verify", "--anchor", "/nowhere/head.json"]);
    expect([gone.code, gone.err]).toEqual([2, expect.stringContaining("There is no file /nowhere/head.json")]);
    for (const text of ["no JSON", "{}"]) {
      const { code, err } = await cli.run(["audit", "verify", "--anchor", await cli.file("head.json", text)]);
      expect([code, err]).toEqual([2, expect.stringContaining("head.json holds no head of the audit trail")]);
    }
  });

  it("lists rows and verifies the chain", async () => {
    expect((await cli.run(["audit", "list", "--limit", "2"])).out.trim().split("\n")).toHaveLength(3);
    const { code, out } = await cli.run(["audit", "verify"]);
    expect([code, out]).toEqual([0, expect.stringContaining("The audit trail is whole")]);
  });

  it("names the first bad row and ends with 1", async () => {
    const own = await withApi(await withLedger());
    const place = await withCli(own);
    await sql`
      INSERT INTO audit_seals (position, audit_id, previous_hash, hash)
      VALUES (1, 77, sha256('a'), sha256('b'))`.execute(own.deps.ledger.db);
    const { code, out } = await place.run(["audit", "verify"]);
    await own.app.close();
    expect([code, out]).toEqual([1, expect.stringContaining("First bad row: 77")]);
  });
});

describe("what goes wrong is said in two lines, never as a stack trace", () => {
  it("no API at the address", async () => {
    const { code, err } = await cli.run(["credential", "list"], { env: { REKEY_ADDRESS: "http://127.0.0.1:9" } });
    expect([code, err]).toEqual([1, expect.stringContaining("Nothing answers at http://127.0.0.1:9")]);
    expect(err).toContain("Next: Start it with `rekey up`");
  });

  it("no token, a token that others can read, and a token that is unknown", async () => {
    const none = await cli.run(["credential", "list"], { env: { REKEY_TOKEN_FILE: "/nowhere/token" } });
    expect(none.err).toContain("There is no token that can be read at /nowhere/token");
    const open = await cli.file("open-token", "rk_x");
    await chmod(open, 0o644);
    expect((await cli.run(["credential", "list"], { env: { REKEY_TOKEN_FILE: open } })).err).toContain("chmod 600");
    const wrong = await cli.file("wrong-token", `rk_${randomBytes(32).toString("base64url")}`);
    const { err } = await cli.run(["credential", "list"], { env: { REKEY_TOKEN_FILE: wrong } });
    expect(err).toContain(`does not take the token in ${wrong}`);
  });

  it("a wrong word, a wrong option, a wrong setting: 2, with what was meant", async () => {
    expect(await cli.run(["rotation", "shwo", "x"])).toMatchObject({ code: 2, err: expect.stringContaining("show") });
    expect((await cli.run(["rotation", "extend", "x", "5"])).code).toBe(2);
    expect(await cli.run(["credential", "list"], { env: { REKEY_ADRESS: "x" } })).toMatchObject({
      code: 2,
      err: expect.stringContaining("did you mean REKEY_ADDRESS?"),
    });
    expect((await cli.run(["--help"])).code).toBe(0);
  });

  it("as JSON with --json", async () => {
    const { err } = await cli.run(["rotate", "nobody", "--json"]);
    expect(parsed(err)).toMatchObject({ error: { code: "not_found", next: expect.any(String) } });
  });

  it("without forging lines by what others have named", async () => {
    const { rotation } = await newRotation();
    const { db } = api.deps.ledger;
    const gaps = JSON.stringify([{ code: "stranger_seen", key: "k", text: "evil\u001b[2Jname\nHOLD 9" }]);
    const { holdId } = await holdRotations(api, rotation);
    await sql`UPDATE holds SET gaps = ${gaps}::jsonb WHERE id = ${holdId}`.execute(db);
    const { out } = await cli.run(["rotation", "show", rotation]);
    expect(out).toContain("evil?[2Jname?HOLD 9");
    expect(out).not.toContain("\u001b[2J");
  });
});
