import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { versionRef } from "../custody/refs.ts";
import { finishCheck, readDueChecks } from "../ledger/checks.ts";
import { revealField } from "../providers/contract/value.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";

let api: TestApi;
let ref: string;

beforeAll(async () => {
  api = await withApi(await withLedger());
});

beforeEach(async () => {
  ref = await adopted(api);
  const { db } = api.deps.ledger;
  const team = ref.split("/")[0] ?? "";
  await sql`
    UPDATE credentials SET current_version = NULL, next_version = 1
    WHERE team_id = (SELECT id FROM teams WHERE name = ${team})`.execute(db);
  await sql`
    DELETE FROM versions WHERE credential_id IN (
      SELECT c.id FROM credentials c JOIN teams t ON t.id = c.team_id WHERE t.name = ${team})`.execute(db);
});

const newSecret = () => randomBytes(12).toString("hex");
const adopt = (secret: string, fields: Record<string, string> = { username: "orders_a" }) =>
  api.ask("POST", `/credentials/${encodeURIComponent(ref)}/adopt`, { secret, fields });

interface VersionRow {
  readonly id: string;
  readonly credential_id: string;
  readonly number: number;
  readonly state: string;
  readonly operation_key: string;
}

async function versionRow(): Promise<VersionRow> {
  const { rows } = await sql<VersionRow>`
    SELECT v.* FROM versions v JOIN credentials c ON c.id = v.credential_id JOIN teams t ON t.id = c.team_id
    WHERE t.name = ${ref.split("/")[0] ?? ""}`.execute(api.deps.ledger.db);
  const [row] = rows;
  if (row === undefined || rows.length !== 1) throw new Error(`one version expected, not ${rows.length}`);
  return row;
}

async function heldField(name: string): Promise<string> {
  const { id, credential_id: credentialId, number } = await versionRow();
  const place = { instance: api.deps.instance, credentialId, number, versionId: id, pool: "default" };
  return revealField((await api.custody.get(versionRef(place))) ?? {}, name);
}

const heldPassword = () => heldField("password");

async function end(checkId: string, ok: boolean): Promise<void> {
  const findings = ok ? [] : [{ code: "candidate_refused" as const, detail: "The issuer refuses the password." }];
  await api.deps.ledger.db.transaction().execute((trx) => finishCheck(trx, checkId, { ok, findings }));
}

describe("adopting the value of today", () => {
  it("puts it into custody as the intended version 1 and asks a worker to look", async () => {
    const secret = newSecret();
    const { status, json } = await adopt(secret);
    expect(status).toBe(200);
    expect(await versionRow()).toMatchObject({
      number: 1,
      state: "intended",
      operation_key: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(await heldPassword()).toBe(secret);
    const pending = await readDueChecks(api.deps.ledger, 100);
    expect(pending.find(({ checkId }) => checkId === json["checkId"])).toMatchObject({
      kind: "adopt",
      arguments: { number: 1, versionId: (await versionRow()).id },
    });
  });

  it("puts it there whole, with what the issuer derives from it: a consumer may be given any of its fields back", async () => {
    const secret = newSecret();
    await adopt(secret);
    expect(await heldField("username")).toBe("orders_a");
    expect(await heldField("url")).toBe("fake://db.internal:5432/?login=orders_a");
  });

  it("shows what the check found, with its title", async () => {
    const { json } = await adopt(newSecret());
    const checkId = json["checkId"] as string;
    expect((await api.ask("GET", `/checks/${checkId}`)).json).toMatchObject({ state: "pending", findings: [] });
    await end(checkId, false);
    expect((await api.ask("GET", `/checks/${checkId}`)).json).toMatchObject({
      state: "failed",
      findings: [{ code: "candidate_refused", title: expect.any(String), detail: expect.any(String) }],
    });
  });

  it("is shown with the credential while it is looked at, and once it has failed", async () => {
    const shown = async () =>
      (await api.ask("GET", `/credentials/${encodeURIComponent(ref)}`)).json["adoption"] as Record<string, unknown>;
    expect(await shown()).toMatchObject({
      command: `rekey credential adopt ${ref} --username LOGIN, where LOGIN is the one in use of orders_a, orders_b`,
      last: null,
    });
    const checkId = (await adopt(newSecret())).json["checkId"] as string;
    expect(await shown()).toMatchObject({ last: { state: "pending", findings: [] } });
    await end(checkId, false);
    expect(await shown()).toMatchObject({
      last: { state: "failed", findings: [{ code: "candidate_refused", title: expect.any(String) }] },
    });
  });

  it("takes another value after an attempt that failed, and forgets the former", async () => {
    await end((await adopt(newSecret())).json["checkId"] as string, false);
    const secret = newSecret();
    expect((await adopt(secret)).status).toBe(200);
    expect(await heldPassword()).toBe(secret);
  });

  it("invariant 7: takes one of two values that are given at once, and tells the other", async () => {
    const [one, two] = [newSecret(), newSecret()];
    const answers = await Promise.all([adopt(one), adopt(two)]);
    expect(answers.map(({ status }) => status)).toEqual(expect.arrayContaining([200, 409]));
    const won = answers[0]?.status === 200 ? one : two;
    expect(await heldPassword()).toBe(won);
    expect(answers.find(({ status }) => status === 409)?.json).toMatchObject({ code: "check_pending" });
  });

  it("is refused once there is a current version, with the way to replace it", async () => {
    await sql`UPDATE credentials SET current_version = 1`.execute(api.deps.ledger.db);
    const { status, json } = await adopt(newSecret());
    expect(status).toBe(409);
    expect(json).toMatchObject({ code: "already_adopted", detail: expect.stringContaining("rekey rotate") });
  });

  it("is refused for a login that is none of the credential's, and for an unknown field", async () => {
    const stranger = await adopt(newSecret(), { username: "postgres" });
    expect(stranger.status).toBe(400);
    expect(stranger.json["detail"]).toContain("Its logins: orders_a, orders_b.");
    expect(stranger.json["detail"]).toContain("--username LOGIN");
    const unknown = await adopt(newSecret(), { username: "orders_a", colour: "red" });
    expect(unknown.json["detail"]).toContain("besides the secret, exactly username");
    expect((await adopt(newSecret(), {})).json["detail"]).toBe(
      `Give, besides the secret, exactly username: rekey credential adopt ${ref} --username LOGIN, where LOGIN is the one in use of orders_a, orders_b.`,
    );
  });

  it.each(["***", "[secret]", "a\nb"])("invariant 13: is refused for %o", async (secret) => {
    const { status, json } = await adopt(secret);
    expect([status, json["code"]]).toEqual([422, "value_unfit"]);
  });

  it("invariant 6: never repeats what was given", async () => {
    const secret = newSecret();
    const texts = [
      (await adopt(secret, { username: secret })).text,
      (await adopt(`${secret}\n`)).text,
      (await adopt(secret)).text,
      (await adopt(secret)).text,
      ...api.logged,
    ];
    expect(texts.join("\n")).not.toContain(secret);
  });
});
