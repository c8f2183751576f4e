import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { declareFreeze, endFreeze } from "../ledger/freezes.ts";
import { newId } from "../ledger/new-id.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withCli, type CliPlace } from "../test/harness/cli.ts";
import { setVersion } from "../test/harness/leaked-version.ts";
import { withLedger } from "../test/harness/ledger.ts";

let admin: TestApi;
let cli: CliPlace;
let ref: string;
// Never with a dash before it, which would make an option of it.
const newSecret = () => randomBytes(16).toString("hex");

beforeAll(async () => {
  admin = await withApi(await withLedger());
  cli = await withCli(await admin.as("responder"));
});
afterAll(() => admin.app.close());
beforeEach(async () => {
  ref = await adopted(admin);
  // Versions that a test makes by hand come before those of rotations.
  await sql`UPDATE credentials SET next_version = 5 WHERE next_version < 5`.execute(admin.deps.ledger.db);
});

const db = () => admin.deps.ledger.db;
const reason = ["--reason", "found in a repository"];
const flat = (text: string): string => text.replaceAll(/\s+/g, " ");

async function declared(): Promise<readonly { readonly credential: string; readonly versions: readonly number[] }[]> {
  const { rows } = await sql<{ credential: string; versions: number[] }>`
    SELECT t.name || '/' || c.name AS credential, e.versions FROM emergencies e
    JOIN credentials c ON c.id = e.credential_id JOIN teams t ON t.id = c.team_id
    WHERE t.name || '/' || c.name = ${ref}`.execute(db());
  return rows;
}

describe("rekey rotate --emergency", () => {
  it("says what it does and who breaks, and how to follow it", async () => {
    const ran = await cli.run(["rotate", ref, "--emergency", "--contain", ...reason]);
    expect(ran).toMatchObject({ code: 0, err: "" });
    expect(flat(ran.out)).toContain(`${ref} (prod): version 1 to be proven dead Contain-first: it is ended before its`);
    expect(ran.out).toMatch(/\/web +breaks until it has the new version/);
    expect(flat(ran.out)).toMatch(/Emergency emg_\w+ of .*: rotation rot_\w+ Follow it: rekey rotation watch rot_/);
    expect(await declared()).toEqual([{ credential: ref, versions: [1] }]);
  });

  it("says what happens where the issuer has no room, where somebody chose it or has reason to choose", async () => {
    const said = async (...args: readonly string[]) => {
      const { out, code } = await cli.run(["rotate", ref, "--emergency", ...args, ...reason]);
      expect(code).toBe(0);
      return flat(out);
    };
    expect(await said("--contain")).not.toContain("no room");
    expect(await said("--contain", "--when-full", "in-place")).toContain("what has leaked is ended first, and its");
    expect(await said("--when-full", "end-older")).toContain("nothing older is known to rekey");
    await setVersion(admin, ref, 3, newSecret(), "accepted-unproven");
    await sql`UPDATE versions SET handle = operation_key WHERE state = 'accepted-unproven' AND handle IS NULL`.execute(
      db(),
    );
    expect(await said("--when-full", "end-older")).toContain(
      "version 3, which was ended without proof (no registered consumer holds it) is ended first.",
    );
    expect(await said("--contain")).toContain(
      "what has leaked is ended first, and its consumers break until they have the one in its place. Instead of that --when-full end-older ends version 3",
    );
    const { rows } = await sql<{ choices: (string | null)[] }>`
      SELECT array_agg(e.when_full ORDER BY e.id) AS choices FROM emergencies e
      JOIN credentials c ON c.id = e.credential_id JOIN teams t ON t.id = c.team_id
      WHERE t.name || '/' || c.name = ${ref}`.execute(db());
    expect(rows[0]?.choices).toEqual([null, "in-place", "end-older", "end-older", null]);
  });

  it("wants the reason, and one way to say what is meant", async () => {
    const refused = async (...args: readonly string[]) => {
      const ran = await cli.run(["rotate", ...args]);
      expect(ran.code).toBe(2);
      return flat(ran.err);
    };
    expect(await refused(ref, "--emergency")).toContain("Say what has leaked");
    expect(await refused("--emergency", ...reason)).toContain("Name one credential, or choose several");
    expect(await refused(ref, "-l", "team=shop", "--emergency", ...reason)).toContain("Name one credential");
    expect(await refused(ref, "--emergency", "--contain", "--continuity", ...reason)).toContain("choose one");
    const both = ["--contain", "--at-deadline", "hold"];
    expect(await refused(ref, "--emergency", ...both, ...reason)).toContain("leave one of them out");
    expect(await refused(ref, "--emergency", "--when-full", "guess", ...reason)).toContain("end-older, in-place, hold");
    expect(await refused(ref, "--when-full", "hold")).toContain("belongs to --emergency");
    expect(await refused(ref, "--contain")).toContain("belongs to --emergency");
    expect(await refused("--leaked")).toContain("belongs to --emergency");
    expect(await declared()).toEqual([]);
  });

  it("chosen by labels is listed, and done only with --yes where nobody can be asked", async () => {
    const labels = ["-l", `team=${ref.split("/")[0]}`, "--emergency", ...reason];
    const asked = await cli.run(["rotate", ...labels]);
    expect([asked.code, asked.out]).toEqual([2, expect.stringContaining(ref)]);
    expect(asked.err).toContain("add --yes");
    expect(await declared()).toEqual([]);
    expect(await cli.run(["rotate", ...labels, "--yes"])).toMatchObject({ code: 0 });
    expect(await declared()).toHaveLength(1);
  });

  it("of many names those that could not be declared with what to do, goes on with the others, and ends with 1", async () => {
    const broken = await adopted(admin);
    const { rows } = await sql<{ id: string }>`
      SELECT c.id FROM credentials c JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${broken}`.execute(
      db(),
    );
    await sql`ALTER TABLE emergencies ADD CONSTRAINT broken CHECK (credential_id <> ${sql.lit(rows[0]?.id)})`.execute(
      db(),
    );
    try {
      const labels = ["-l", "environment=prod", "--emergency", ...reason, "--yes"];
      const ran = await cli.run(["rotate", ...labels]);
      expect([ran.code, flat(ran.out)]).toEqual([
        1,
        expect.stringMatching(
          new RegExp(`Not among them \\(1\\): ${broken} .* NOT DECLARED \\(1\\): ${broken} .* Next: `),
        ),
      ]);
      expect(await declared()).toEqual([{ credential: ref, versions: [1] }]);
      const json = await cli.run(["rotate", ...labels, "--json"]);
      expect([json.code, JSON.parse(json.out)]).toMatchObject([
        1,
        { missed: [{ credential: broken, code: "internal" }] },
      ]);
    } finally {
      await sql`ALTER TABLE emergencies DROP CONSTRAINT broken`.execute(db());
    }
  });

  it("says of one that no rotation can begin for yet that it is recorded", async () => {
    await sql`UPDATE credentials c SET current_version = NULL FROM teams t
      WHERE t.id = c.team_id AND t.name || '/' || c.name = ${ref}`.execute(db());
    const ran = await cli.run(["rotate", ref, "--emergency", "--version", "1", ...reason]);
    expect([ran.code, flat(ran.out)]).toEqual([0, expect.stringContaining(`of ${ref} is recorded; its rotation`)]);
  });

  it("says of what is dead that nothing is to be done, and of what was let go that somebody has to look", async () => {
    await setVersion(admin, ref, 2, newSecret(), "proven-dead");
    await setVersion(admin, ref, 3, newSecret(), "accepted-unproven");
    const dead = await cli.run(["rotate", ref, "--emergency", "--version", "2", ...reason]);
    expect([dead.code, flat(dead.out)]).toEqual([0, expect.stringContaining("version 2 is dead already")]);
    const letGo = await cli.run(["rotate", ref, "--emergency", "--version", "3", ...reason]);
    expect([letGo.code, flat(letGo.out)]).toEqual([3, expect.stringContaining("version 3 is ended WITHOUT PROOF")]);
    await sql`UPDATE versions SET handle = operation_key WHERE number = 2 AND handle IS NULL`.execute(db());
    await sql`
      WITH watch AS (
        INSERT INTO death_watches (version_id, until, looked_at)
        SELECT v.id, clock_timestamp() + interval '1 day', clock_timestamp() FROM versions v
        JOIN credentials c ON c.id = v.credential_id JOIN teams t ON t.id = c.team_id
        WHERE v.number = 2 AND t.name || '/' || c.name = ${ref} RETURNING version_id, looked_at)
      INSERT INTO death_findings (version_id, kind, key, text, last_seen_at)
      SELECT w.version_id, 'revived', v.handle, 'It can log in again.', w.looked_at
      FROM watch w JOIN versions v ON v.id = w.version_id`.execute(db());
    const back = await cli.run(["rotate", ref, "--emergency", "--version", "2", ...reason]);
    expect([back.code, flat(back.out)]).toEqual([3, expect.stringContaining("version 2 died and CAN LOG IN AGAIN")]);
    expect(back.out).not.toContain("dead already, and");
    expect(await declared()).toEqual([]);
  });

  it("with --wait stays until it is over, and says how that went by its exit code", async () => {
    const waits = cli.start(["rotate", ref, "--emergency", "--wait", ...reason]);
    await waits.line("Follow it");
    await sql`UPDATE emergencies SET outcome = 'proven', closed_at = clock_timestamp() WHERE outcome IS NULL`.execute(
      db(),
    );
    const ran = await waits.ended;
    expect([ran.code, flat(ran.out)]).toEqual([
      0,
      expect.stringMatching(/version 1 proven dead (after|within) .*\. $/),
    ]);
    const late = await cli.run(["rotate", ref, "--emergency", "--wait", "--timeout", "1s", ...reason]);
    expect([late.code, late.err]).toEqual([4, expect.stringContaining("rekey emergency list")]);
  });

  it("is seen by `rekey emergency list`, and first by `rekey status`, which ends with 1 once it is late", async () => {
    await cli.run(["rotate", ref, "--emergency", ...reason]);
    expect((await cli.run(["emergency", "list", "--open"])).out).toMatch(new RegExp(`emg_\\w+ +${ref} +1 +open`));
    expect((await cli.run(["status"])).out).toMatch(new RegExp(`emergenc\\w+ runs?: .*${ref}`));
    await sql`UPDATE emergencies SET deadline = clock_timestamp() - interval '1 minute' WHERE outcome IS NULL`.execute(
      db(),
    );
    const status = await cli.run(["status"]);
    expect([status.code, status.out]).toEqual([1, expect.stringMatching(/\n\nbad {3}Emergencies\n/)]);
    expect(flat(status.out)).toContain("what has leaked may be alive");
  });
});

describe("what an emergency passes over, and whom it suspects", () => {
  it("stands in `rekey emergency list` and in `rekey rotation show`", async () => {
    const until = new Date(Date.now() + 3_600_000);
    const freeze = { teamId: null, environmentId: null, reason: "quarter end", until, actor: "tok_operator" };
    const freezeId = (await declareFreeze(admin.deps.ledger, freeze)) ?? "";
    try {
      await cli.run(["rotate", ref, "--emergency", "--suspect", "web", ...reason]);
      const web = `${ref.split("/")[0]}/web`;
      const texts = async () =>
        Promise.all(
          [
            ["emergency", "list"],
            ["rotation", "show", ref],
          ].map(async (args) => flat((await cli.run(args)).out)),
        );
      for (const text of await texts()) {
        expect(text).toContain(`suspected ${web}, which gets nothing until it is released.`);
        expect(text).toMatch(/overrode freeze "quarter end" until .* \(at \d\d:\d\d:\d\d\)\./);
      }
      await cli.run(["consumer", "release", web, "--credential", ref, "--reason", "installed anew"]);
      for (const text of await texts())
        expect(text).toMatch(new RegExp(`suspected ${web}, released at \\S+ by tok_\\w+: "installed anew"`));
    } finally {
      await endFreeze(admin.deps.ledger, freezeId, "tok_operator");
    }
  });
});

describe("a suspect that has a version besides the one that is named", () => {
  it("is said to have it, before and in the trail, and that is named as well, unless it is dead", async () => {
    await setVersion(admin, ref, 2, newSecret());
    const consumer = sql`(SELECT n.id FROM consumers n JOIN credentials c ON c.id = n.credential_id
      JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${ref})`;
    await sql`UPDATE consumers SET held_version = 2 WHERE id = ${consumer}`.execute(db());
    const web = `${ref.split("/")[0]}/web`;
    const ran = await cli.run(["rotate", ref, "--emergency", "--version", "1", "--suspect", web, ...reason]);
    expect(flat(ran.out)).toContain(`${ref} (prod): versions 1, 2 to be proven dead`);
    expect(flat(ran.out)).toContain(`Also named, since ${web} has it: version 2.`);
    expect(await declared()).toEqual([{ credential: ref, versions: [1, 2] }]);
    const { rows } = await sql`
      SELECT details -> 'alsoNamed' AS also FROM audit a JOIN emergencies e ON e.id = a.details ->> 'emergency'
      WHERE a.action = 'emergency.declared' AND a.credential_id = (SELECT credential_id FROM consumers WHERE id = ${consumer})
      `.execute(db());
    expect(rows).toEqual([{ also: [2] }]);
    await sql`UPDATE versions SET state = 'proven-dead' WHERE number = 2
      AND credential_id = (SELECT credential_id FROM consumers WHERE id = ${consumer})`.execute(db());
    const again = await cli.run(["rotate", ref, "--emergency", "--version", "1", "--suspect", web, ...reason]);
    expect(flat(again.out)).toContain(`${ref} (prod): version 1 to be proven dead`);
    expect(again.out).not.toContain("Also named");
  });
});

describe("an emergency whose issuer is away", () => {
  it("says in the list, the status and to who waits that it is tried again, or that a person is asked", async () => {
    const waits = cli.start(["rotate", ref, "--emergency", "--wait", "--timeout", "20s", ...reason]);
    await waits.line("Follow it");
    const rotation = sql`(SELECT e.rotation_id FROM emergencies e JOIN credentials c ON c.id = e.credential_id
      JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${ref})`;
    await sql`UPDATE rotations SET attempts = 12, last_code = 'issuer_unreachable' WHERE id = ${rotation}`.execute(
      db(),
    );
    await waits.line("12 tries so far");
    const list = await cli.run(["emergency", "list", "--open"]);
    expect(list.out).toMatch(new RegExp(`emg_\\w+ +${ref} +1 +fails: issuer_unreachable`));
    expect(flat(list.out)).toContain("(issuer_unreachable), 12 tries so far; it is tried again by itself.");
    expect(flat((await cli.run(["status"])).out)).toMatch(new RegExp(`${ref} \\(for [^;]*; [^;]*, tried 12 times and`));
    await sql`INSERT INTO holds (id, rotation_id, number, phase, code, detail, gaps)
      VALUES (${newId("hold")}, ${rotation}, 1, 'reserved', 'issuer_unreachable', 'It is away.', '[]')`.execute(db());
    const held = await cli.run(["emergency", "list", "--open"]);
    expect(held.out).toMatch(new RegExp(`${ref} +1 +asks: issuer_unreachable`));
    expect(flat((await cli.run(["status"])).out)).toMatch(new RegExp(`${ref} \\(for [^;]*; a person is asked: `));
    await sql`UPDATE emergencies SET outcome = 'proven', closed_at = clock_timestamp() WHERE outcome IS NULL`.execute(
      db(),
    );
    expect((await waits.ended).code).toBe(0);
  });
});

describe("rekey rotate --emergency --leaked", () => {
  const leaked = ["rotate", "--emergency", "--leaked", ...reason];

  it("declares one emergency for each credential, of exactly the versions that were sent and are alive", async () => {
    const [one, two, dead] = [newSecret(), newSecret(), newSecret()];
    await setVersion(admin, ref, 1, one);
    await setVersion(admin, ref, 2, two);
    await setVersion(admin, ref, 3, dead, "proven-dead");
    const input = `${two}\nsome=${dead}\n${newSecret()}\n`;
    const asked = await cli.run(leaked, { input });
    expect([asked.code, flat(asked.out)]).toEqual([
      2,
      expect.stringContaining(`${ref} (prod): version 2 to be proven`),
    ]);
    expect(asked.err).toContain("add --yes");
    expect(await declared()).toEqual([]);
    const ran = await cli.run([...leaked, "--yes"], { input });
    expect(ran.code).toBe(0);
    expect(await declared()).toEqual([{ credential: ref, versions: [2] }]);
    for (const secret of [one, two, dead]) expect(asked.out + asked.err + ran.out + ran.err).not.toContain(secret);
  });

  it("does nothing where none of it is ours and alive, and ends with 0", async () => {
    const dead = newSecret();
    await setVersion(admin, ref, 1, dead, "proven-dead");
    const ran = await cli.run([...leaked, "--yes"], { input: `${dead}\n${newSecret()}\n` });
    expect([ran.code, ran.out]).toEqual([0, expect.stringContaining("Nothing was done")]);
    expect(await declared()).toEqual([]);
  });

  it("ends what it can, and with 3 where something of ours is left that it cannot end", async () => {
    const [alive, letGo] = [newSecret(), newSecret()];
    await setVersion(admin, ref, 1, alive);
    await setVersion(admin, ref, 2, letGo, "accepted-unproven");
    const ran = await cli.run([...leaked, "--yes"], { input: `${alive}\n${letGo}\n` });
    expect([ran.code, ran.out]).toEqual([3, expect.stringMatching(/^UNPROVEN +line 2/)]);
    expect(await declared()).toEqual([{ credential: ref, versions: [1] }]);
  });

  it("does not pass over what could not be compared", async () => {
    const ran = await cli.run([...leaked, "--yes"], { input: `${"x".repeat(20_000)}\n` });
    expect([ran.code, ran.out]).toEqual([1, expect.stringContaining("NOT ASKED line 1")]);
  });

  it("takes no value as an argument, and none that names a credential beside it", async () => {
    for (const more of [[newSecret()], [ref], ["-l", "team=shop"], ["--version", "1"]]) {
      const ran = await cli.run([...leaked, ...more], { input: "x\n" });
      expect([ran.code, flat(ran.err)]).toEqual([2, expect.stringContaining("name no credential, labels or version")]);
      // An option's name may stand there, what was typed by itself not.
      if (more.length === 1) expect(ran.err).not.toContain(more[0]);
    }
    const dashed = await cli.run([...leaked, `-${newSecret()}9`], { input: "x\n" });
    expect([dashed.code, flat(dashed.err)]).toEqual([2, expect.stringContaining("count it as leaked")]);
    expect(await cli.run(leaked, { input: "\n" })).toMatchObject({
      code: 2,
      err: expect.stringContaining("Standard input held nothing"),
    });
  });
});
