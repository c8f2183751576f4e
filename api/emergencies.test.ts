import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { settleDue } from "../ledger/emergencies.ts";
import { declareFreeze, endFreeze } from "../ledger/freezes.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { setVersion } from "../test/harness/leaked-version.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";

let test: TestLedger;
let api: TestApi;
let ref: string;
const secret = randomBytes(16).toString("base64url");

beforeAll(async () => {
  test = await withLedger();
  api = await (await withApi(test)).as("responder");
});
afterAll(() => api.app.close());
beforeEach(async () => {
  ref = await adopted(await api.as("admin"));
});

const db = () => api.deps.ledger.db;
const idOf = async (name: string): Promise<string> => {
  const { rows } = await sql<{ id: string }>`
    SELECT c.id FROM credentials c JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${name}`.execute(
    db(),
  );
  return rows[0]?.id ?? "";
};
type Affected = Readonly<Record<string, unknown>>;

async function ask(
  path: "" | "/preview",
  body: object,
): Promise<{ status: number; text: string; affected: Affected[]; missed: Affected[] }> {
  const { status, text, json } = await api.ask("POST", `/emergencies${path}`, body);
  const { affected = [], missed = [] } = json as Record<"affected" | "missed", Affected[] | undefined>;
  return { status, text, affected, missed };
}
const preview = async (body: object) => ask("/preview", body);
const declare = async (body: object) => ask("", { reason: "found in a repository", ...body });

const countRows = async () => {
  const { rows } = await sql<Record<string, string>>`
    SELECT (SELECT count(*) FROM emergencies) AS emergencies, (SELECT count(*) FROM rotations) AS rotations,
      (SELECT count(*) FROM audit) AS audit, (SELECT count(*) FROM starts) AS starts,
      (SELECT count(*) FROM versions WHERE compromised_at IS NOT NULL) AS leaked`.execute(db());
  return rows[0];
};

describe("an emergency", () => {
  it("is declared exactly as its preview says, which changes nothing", async () => {
    const before = await countRows();
    const said = await preview({ credentials: [ref], contain: true });
    expect(said.status).toBe(200);
    expect(await countRows()).toEqual(before);
    const done = await declare({ credentials: [ref], contain: true });
    const { rotationId, emergencyId } = done.affected[0] ?? {};
    expect([rotationId, emergencyId]).toEqual([expect.stringMatching(/^rot_/), expect.stringMatching(/^emg_/)]);
    expect(said.affected).toEqual([{ ...done.affected[0], rotationId: null, emergencyId: null }]);
    expect(said.affected).toMatchObject([
      {
        ...{ credential: ref, versions: [1], how: "reserved", contain: true },
        ...{ dead: [], unproven: [], unmade: [], alsoNamed: [] },
        consumers: [{ isSuspect: false }],
      },
    ]);
    const again = await preview({ credentials: [ref] });
    expect(again.affected).toMatchObject([{ how: "join", rotationId }]);
  });

  it("goes by the credential's policy where the call says nothing", async () => {
    const policy = { emergencyOrder: "contain-first", emergencyDeadlineMs: 60_000, emergencyOutcome: "hold" };
    await sql`UPDATE credentials SET policy = policy || ${JSON.stringify(policy)}::jsonb`.execute(db());
    expect((await preview({ credentials: [ref] })).affected).toMatchObject([
      { contain: true, deadlineMs: 60_000, atDeadline: "hold" },
    ]);
    expect(
      (await preview({ credentials: [ref], contain: false, deadlineMs: 5_000, atDeadline: "contain" })).affected,
    ).toMatchObject([{ contain: false, deadlineMs: 5_000, atDeadline: "contain" }]);
  });

  it("chooses by labels, with team and environment as if they were some", async () => {
    const team = ref.split("/")[0] ?? "";
    const other = await adopted(await api.as("admin"));
    const refs = async (labels: string) => (await preview({ labels })).affected.map(({ credential }) => credential);
    expect(await refs(`team=${team}`)).toEqual([ref]);
    expect(await refs("environment=prod")).toEqual(expect.arrayContaining([ref, other]));
    expect(await preview({ labels: `team=${team},environment=nowhere` })).toMatchObject({ status: 404 });
    expect(await preview({ labels: "team=" })).toMatchObject({ status: 404 });
    expect(await preview({ labels: "=(" })).toMatchObject({ status: 400 });
    expect(await preview({ labels: `team=${team}`, credentials: [ref] })).toMatchObject({ status: 400 });
    expect(await preview({})).toMatchObject({ status: 400 });
  });

  it("of several credentials names no versions and no suspects, which are those of one", async () => {
    const other = await adopted(await api.as("admin"));
    const before = await countRows();
    for (const more of [{ versions: [1] }, { suspects: ["web"] }]) {
      const answer = await declare({ credentials: [ref, other], ...more });
      expect(answer).toMatchObject({ status: 400, text: expect.stringContaining("name one") });
    }
    expect(await countRows()).toEqual(before);
    expect((await declare({ credentials: [ref, other, ref] })).affected).toHaveLength(2);
  });

  it("of a version that there is none of says so, and where to see which there are", async () => {
    expect(await declare({ credentials: [ref], versions: [1, 8] })).toMatchObject({
      status: 400,
      text: expect.stringContaining(`has no version 8. Its versions: rekey credential show ${ref}`),
    });
  });

  it("does nothing about what is dead, let go without proof or never made, and says which is which", async () => {
    await setVersion(api, ref, 2, secret, "proven-dead");
    await setVersion(api, ref, 3, secret, "accepted-unproven");
    await setVersion(api, ref, 4, secret, "intended");
    await sql`UPDATE credentials SET next_version = 5`.execute(db());
    const before = await countRows();
    const { affected } = await declare({ credentials: [ref], versions: [2, 3, 4] });
    expect(affected).toMatchObject([{ how: "dead", versions: [], dead: [2], unproven: [3], unmade: [4] }]);
    expect(await countRows()).toEqual(before);
    expect((await declare({ credentials: [ref], versions: [1, 2] })).affected).toMatchObject([
      { how: "reserved", versions: [1], dead: [2] },
    ]);
  });

  it("of a suspect that it does not know names those that it does", async () => {
    const team = ref.split("/")[0] ?? "";
    const answer = await preview({ credentials: [ref], suspects: ["nobody"] });
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining(`Its consumers: ${team}/web.`) });
    for (const name of ["web", `${team}/web`])
      expect((await preview({ credentials: [ref], suspects: [name] })).affected).toMatchObject([
        { consumers: [{ ref: `${team}/web`, isSuspect: true }] },
      ]);
  });

  it("keeps no reason that holds a value that it knows", async () => {
    await setVersion(api, ref, 1, secret);
    const before = await countRows();
    const answer = await declare({ credentials: [ref], reason: `found ${secret} in a log` });
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain(secret);
    expect(await countRows()).toEqual(before);
    expect(await preview({ credentials: [ref], reason: `found ${secret} in a log` })).toMatchObject({ status: 400 });
    expect(await declare({ credentials: [ref], reason: "  " })).toMatchObject({ status: 400 });
  });

  it("of many is declared of each that can be, and says of each other one why it was not", async () => {
    const [gone, broken, other] = await Promise.all(
      ["gone", "broken", "other"].map(async () => adopted(await api.as("admin"))),
    );
    const credentials = await Promise.all([gone, broken, ref, other].map(async (name) => idOf(name ?? "")));
    await sql`UPDATE credentials SET retired_at = clock_timestamp() WHERE id = ${credentials[0]}`.execute(db());
    await sql`ALTER TABLE emergencies ADD CONSTRAINT broken CHECK (credential_id <> ${sql.lit(credentials[1])})`.execute(
      db(),
    );
    try {
      for (const say of [preview, declare]) {
        const { status, affected, missed } = await say({ credentials });
        expect([status, affected.map(({ credential }) => credential)]).toEqual([200, [ref, other]]);
        expect(missed).toMatchObject([
          { credentialId: credentials[0], credential: null, code: "not_found", next: expect.any(String) },
          { credentialId: credentials[1], credential: broken, code: "internal" },
        ]);
      }
      expect(await declare({ credentials: [gone] })).toMatchObject({ status: 404 });
      expect(await declare({ credentials: [credentials[0]] })).toMatchObject({ status: 404 });
      expect(await declare({ credentials: [broken] })).toMatchObject({ status: 500 });
    } finally {
      await sql`ALTER TABLE emergencies DROP CONSTRAINT broken`.execute(db());
    }
  });

  it("of more than one call has time for names those whose turn did not come", async () => {
    const others = await Promise.all(["one", "two"].map(async () => adopted(await api.as("admin"))));
    const now = performance.now.bind(performance);
    let late = 0;
    const spy = vi.spyOn(performance, "now").mockImplementation(() => now() + (late += 6_000));
    try {
      const { affected, missed } = await declare({ credentials: [ref, ...others] });
      expect(affected.map(({ credential }) => credential)).toEqual([ref, others[0]]);
      expect(missed).toMatchObject([{ credentialId: await idOf(others[1] ?? ""), code: "ledger_busy" }]);
    } finally {
      spy.mockRestore();
    }
  });

  it("that no rotation can begin for is kept, and says why", async () => {
    await sql`UPDATE credentials SET principals = ARRAY['busy']`.execute(db());
    const other = await adopted(await api.as("admin"));
    await sql`UPDATE credentials SET principals = ARRAY['busy'], connection_id = (
      SELECT connection_id FROM credentials c JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${ref})
      WHERE id = (SELECT c.id FROM credentials c JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${other})`.execute(
      db(),
    );
    await declare({ credentials: [ref] });
    const { affected } = await declare({ credentials: [other] });
    expect(affected).toMatchObject([{ how: "refused", rotationId: null, refusal: expect.stringContaining("busy") }]);
    const { json } = await api.ask("GET", "/emergencies?open=true");
    expect((json["emergencies"] as Affected[])[0]).toMatchObject({
      credential: other,
      refusedCode: expect.stringMatching(/^\w+$/),
    });
  });

  it("that no rotation could begin for begins by itself once one can", async () => {
    const setVersionOf = async (version: number | null) =>
      sql`UPDATE credentials c SET current_version = ${version} FROM teams t
        WHERE t.id = c.team_id AND t.name || '/' || c.name = ${ref}`.execute(db());
    const own = async () => {
      const { json } = await api.ask("GET", "/emergencies?open=true");
      return (json["emergencies"] as Affected[]).find(({ credential }) => credential === ref);
    };
    await setVersionOf(null);
    expect((await declare({ credentials: [ref], versions: [1] })).affected).toMatchObject([{ how: "refused" }]);
    await settleDue(test.ledger);
    expect(await own()).toMatchObject({ rotationId: null, refusedCode: "not_adopted" });
    await setVersionOf(1);
    await settleDue(test.ledger);
    expect(await own()).toMatchObject({ rotationId: expect.stringMatching(/^rot_/), refusedCode: null });
  });

  it("names who is suspected, who released them and why, and what was overridden, in the list and at its rotation", async () => {
    const until = new Date(Date.now() + 3_600_000);
    const freeze = { teamId: null, environmentId: null, reason: "quarter end", until, actor: "tok_operator" };
    const freezeId = (await declareFreeze(test.ledger, freeze)) ?? "";
    try {
      const { affected } = await declare({ credentials: [ref], suspects: ["web"] });
      const { rotationId, emergencyId } = affected[0] ?? {};
      const web = `${ref.split("/")[0]}/web`;
      const seen = async () => {
        const [list, shown] = await Promise.all([
          api.ask("GET", "/emergencies"),
          api.ask("GET", `/rotations/${String(rotationId)}`),
        ]);
        const [first] = (list.json["emergencies"] as Affected[]).filter(({ id }) => id === emergencyId);
        expect(shown.json["emergencies"]).toEqual([first]);
        return first;
      };
      expect(await seen()).toMatchObject({
        suspects: [{ ref: web, releasedAt: null, releasedBy: null, reason: null }],
        overridden: [{ what: "freeze", why: "quarter end", until: until.toISOString(), at: expect.any(String) }],
      });
      const body = { credential: ref, reason: "installed anew" };
      expect((await api.ask("POST", `/consumers/${encodeURIComponent(web)}/release`, body)).status).toBe(200);
      expect(await seen()).toMatchObject({
        suspects: [{ ref: web, releasedAt: expect.any(String), releasedBy: expect.any(String), reason: body.reason }],
      });
    } finally {
      await endFreeze(test.ledger, freezeId, "tok_operator");
    }
  });
});
