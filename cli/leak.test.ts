import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../providers/contract/secret.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withCli, type CliPlace, type Ran } from "../test/harness/cli.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { needs } from "../test/harness/needs.ts";
import { atTerminal, hasTerminal } from "../test/harness/terminal.ts";

let test: TestLedger;
let api: TestApi;
let cli: CliPlace;
/** Of one credential: what version 1 was, and version 2 is. */
let ref: string;
const newSecret = () => randomBytes(12).toString("hex");
const [dead, alive] = [newSecret(), newSecret()];

beforeAll(async () => {
  test = await withLedger();
  api = await withApi(test);
  cli = await withCli(await api.as("responder"));
  ref = await adopted(api, "orders", "shop");
  const [one, two] = [dead, alive].map((secret) => api.deps.fingerprints.of(new Secret(secret)));
  const { db } = api.deps.ledger;
  await sql`UPDATE versions SET state = 'proven-dead', fingerprint = ${one}, ended_at = clock_timestamp()`.execute(db);
  await sql`
    INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key, fingerprint)
    SELECT 'ver_two', id, connection_id, 2, 'live', 'two', ${two} FROM credentials`.execute(db);
  await sql`UPDATE credentials SET current_version = 2`.execute(db);
  await sql`UPDATE consumers SET held_version = 2`.execute(db);
  await sql`
    INSERT INTO audit (credential_id, rotation_id, actor, action, details)
    SELECT id, 'rot_first', 'system:worker', 'version.proven-dead',
      '{"version": 1, "code": "28P01", "controls": "wrong-refused"}' FROM credentials`.execute(db);
});

afterAll(() => api.app.close());

const silent = ({ out, err }: Ran, ...secrets: readonly string[]) => {
  for (const secret of secrets) expect(out + err).not.toContain(secret);
};

describe("rekey leak check", () => {
  it("says of a live value which it is, who breaks and what to run, and ends with 3", async () => {
    const ran = await cli.run(["leak", "check"], {
      input: `${newSecret()}\r\n\r\nDATABASE_URL=postgres://o:${alive}@db/o\r\n`,
    });
    expect(ran.code).toBe(3);
    expect(ran.out).toMatch(
      /^ALIVE {5}line 3\n {10}version 2 of shop\/orders \(prod, fake-db\), its current one; made 20/,
    );
    expect(ran.out).toMatch(/Its end may break\n +shop\/web +holds it +#shop\n/);
    expect(ran.out).toContain('End it: rekey rotate shop/orders --emergency --version 2 --reason "…"\n');
    expect(ran.out).toMatch(
      /\nunknown {3}line 1\n {10}not known to rekey\. One that was cut or changed is not recognised/,
    );
    expect(ran.out).toContain("2 different values: 1 ALIVE, 1 unknown.");
    silent(ran, alive);
  });

  it("says of a dead one how that was seen, and ends with 0, as for one that nobody knows", async () => {
    const ran = await cli.run(["leak", "check"], { input: `${dead}\n${newSecret()}\n` });
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/^dead {6}line 1\n/);
    expect(ran.out.replaceAll(/\s+/g, " ")).toMatch(
      /version 1 of shop\/orders \(prod, fake-db\); seen refused 20\S+ \S+ UTC \(28P01; controls: wrong-refused, rotation rot_first\)\./,
    );
    expect(ran.out).not.toContain("End it");
    silent(ran, dead);
  });

  it("gives the same as JSON, one line, without the values", async () => {
    const ran = await cli.run(["leak", "check", "--json"], { input: `${alive}\n${dead}\n${alive}\n` });
    expect(ran.code).toBe(3);
    expect(ran.out.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(ran.out)).toMatchObject({
      isAlive: true,
      notComparedValues: 0,
      results: [
        { places: ["line 1", "line 3"], state: "known", versions: [{ credential: ref, version: 2, life: "alive" }] },
        { places: ["line 2"], state: "known", versions: [{ version: 1, life: "dead", command: null }] },
      ],
    });
    silent(ran, alive, dead);
  });

  it("takes the reports of gitleaks and trufflehog, from a file and from standard input", async () => {
    const finding = (File: string, found: string) => ({
      ...{ RuleID: "r", StartLine: 7, File },
      ...{ Secret: found, Match: `p=${found}` },
    });
    const gitleaks = JSON.stringify([finding("a.env", alive), finding("b.env", newSecret()), finding("c.env", alive)]);
    const one = await cli.run(["leak", "check", "--format", "gitleaks", await cli.file("g.json", gitleaks)]);
    expect([one.code, one.out]).toEqual([3, expect.stringMatching(/^ALIVE {5}a\.env:7 \(r\), c\.env:7 \(r\)\n/)]);
    const Raw = `postgres://o:${dead}@db/o`;
    const hog = { DetectorName: "Postgres", Raw, SourceMetadata: { Data: { Filesystem: { file: "d.env", line: 2 } } } };
    const two = await cli.run(["leak", "check", "--format", "trufflehog", "-"], { input: `${JSON.stringify(hog)}\n` });
    expect([two.code, two.out]).toEqual([0, expect.stringMatching(/^dead {6}d\.env:2 \(Postgres\)\n/)]);
    const none = await cli.run(["leak", "check", "--format", "gitleaks", "-"], { input: "[]" });
    expect(none).toMatchObject({ code: 0, out: "The report has no findings.\n" });
    silent(one, alive);
    silent(two, dead);
  });

  it("does not call a value unknown that it could not compare, and ends with 1", async () => {
    const input = `***\n${"x".repeat(20_000)}\n${newSecret()}\n[secret]\n`;
    const ran = await cli.run(["leak", "check"], { input });
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/NOT ASKED line 1, line 4\n +somebody hid it/);
    expect(ran.out).toMatch(/NOT ASKED line 2\n +too long/);
    expect(ran.out).toMatch(/unknown {3}line 3\n/);
    const with3 = await cli.run(["leak", "check"], { input: `***\n${alive}\n` });
    expect(with3.code).toBe(3);
  });

  it("takes no value as an argument, repeats none, and says what that means", async () => {
    const secret = newSecret();
    const asArgument = await cli.run(["leak", "check", secret]);
    expect(asArgument).toMatchObject({ code: 2, err: expect.stringContaining("count it as leaked") });
    const asFile = await cli.run(["leak", "check", "--format", "gitleaks", secret]);
    expect(asFile).toMatchObject({ code: 2, err: expect.stringContaining("cannot be read (ENOENT)") });
    const two = await cli.run(["leak", "check", secret, secret]);
    expect(two.code).toBe(2);
    const noFile = await cli.run(["leak", "check", "--format", "gitleaks"]);
    expect(noFile).toMatchObject({ code: 2, err: expect.stringContaining("needs a report") });
    for (const ran of [asArgument, asFile, two, noFile]) silent(ran, secret);
  });

  it("refuses nothing at all, and more than can be compared", async () => {
    expect(await cli.run(["leak", "check"], { input: " \n\n" })).toMatchObject({
      code: 2,
      err: expect.stringContaining("Standard input held nothing"),
    });
    const many = Array.from({ length: 10_001 }, (_, at) => `value-${at}`).join("\n");
    expect(await cli.run(["leak", "check"], { input: many })).toMatchObject({
      code: 2,
      err: expect.stringContaining("more than 10000 different values"),
    });
  });

  it("asks in several requests, waits where a minute takes no more, and says what it did not get to", async () => {
    const { fingerprints } = api.deps;
    const limited = await withApi(test, undefined, { leakValuesAMinute: 150, fingerprints });
    const own = await withCli(await limited.as("responder"));
    const values = [alive, ...Array.from({ length: 260 }, newSecret), dead];
    const ran = await own.run(["leak", "check", "--timeout", "1ms"], { input: values.join("\n") });
    expect(ran.err).toContain("100 of 262 values are compared");
    expect(ran.out).toMatch(/^ALIVE {5}line 1\n/);
    expect(ran.out).toContain("162 NOT ASKED");
    expect(ran.code).toBe(3);
    const closed = await withApi(test, undefined, { leakValuesAMinute: 1 });
    const other = await withCli(await closed.as("responder"));
    const none = await other.run(["leak", "check", "--timeout", "1ms"], { input: `${alive}\n${dead}\n` });
    expect(none).toMatchObject({ code: 4, out: expect.stringContaining("2 NOT ASKED") });
    silent(ran, ...values);
    await Promise.all([limited.app.close(), closed.app.close()]);
  });

  it("is refused to an auditor, who learns nothing of it", async () => {
    const auditor = await api.as("auditor");
    const env = { REKEY_TOKEN_FILE: await cli.file("auditor", auditor.token) };
    const ran = await cli.run(["leak", "check"], { input: alive, env });
    expect(ran).toMatchObject({ code: 1, out: "", err: expect.stringContaining("The role auditor may not") });
  });

  it("asks for nothing where there is no token to ask with", async () => {
    const env = { REKEY_TOKEN_FILE: "/nowhere/token" };
    for (const command of [
      ["leak", "check"],
      ["rotate", "--emergency", "--leaked", "--reason", "found"],
    ]) {
      const ran = await cli.run(command, { env });
      expect(ran).toMatchObject({ code: 1, err: expect.stringContaining("There is no token that can be read") });
    }
  });

  it("takes all that is pasted into a terminal and shows none of it", async (context) => {
    needs(context, hasTerminal, "script of util-linux");
    const terminal = atTerminal(["leak", "check"], cli.env, 110);
    await terminal.until("Ctrl-D ends it.");
    const pasted = [newSecret(), "", `DB_PASSWORD=${alive}`];
    for (const line of pasted) terminal.type(line);
    await terminal.until("3 lines taken");
    terminal.send("\u0004");
    const { code, shown } = await terminal.ended;
    expect(code).toBe(3);
    expect(shown).toMatch(/ALIVE {5}line 3/);
    for (const secret of [pasted[0] ?? "", alive]) expect(shown).not.toContain(secret);
  });
});
