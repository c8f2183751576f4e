import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectionSecretRef, type ConnectionSecretRow } from "../custody/refs.ts";
import { settleDue } from "../ledger/emergencies.ts";
import { newId } from "../ledger/new-id.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connectionIndex, everything } from "../test/harness/manifests.ts";

let api: TestApi;
beforeAll(async () => (api = await withApi(await withLedger())));
afterAll(() => api.app.close());

const db = () => api.deps.ledger.db;
const teamOf = (ref: string) => ref.split("/")[0] ?? "";

const ask = (kind: string, name: string, more: Record<string, unknown> = {}) =>
  api.ask("POST", "/manifests/delete", { kind, name, ...more });

/** Looks at what it means, says yes. */
async function remove(kind: string, name: string, more: Record<string, unknown> = {}) {
  const planned = await ask(kind, name, more);
  if (planned.status !== 200) throw new Error(planned.text);
  const done = await ask(kind, name, { ...more, digest: planned.json["digest"] });
  if (done.status !== 200) throw new Error(done.text);
  expect(done.json).toEqual({ ...planned.json, outcome: "deleted" });
  return planned.json as unknown as { readonly ref: string; readonly notes: readonly string[] };
}

async function refusal(kind: string, name: string): Promise<string> {
  const { status, json } = await ask(kind, name);
  expect([status, json["code"]]).toEqual([409, "delete_refused"]);
  return json["detail"] as string;
}

async function apply(text: string, secrets: Record<string, string> = {}) {
  const body = { files: [{ name: "rekey.yaml", text, secrets }] };
  const planned = await api.ask("POST", "/manifests/apply", body);
  if (planned.status !== 200) throw new Error(planned.text);
  const { status, text: said } = await api.ask("POST", "/manifests/apply", {
    ...body,
    planDigest: planned.json["digest"],
  });
  if (status !== 200) throw new Error(said);
  return (planned.json["items"] as readonly { action: string }[]).map(({ action }) => action);
}

async function idOf(ref: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    SELECT c.id FROM credentials c JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${ref}`.execute(
    db(),
  );
  return rows[0]?.id ?? "";
}

async function teamId(ref: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`SELECT id FROM teams WHERE name = ${teamOf(ref)}`.execute(db());
  return rows[0]?.id ?? "";
}

async function rotate(ref: string): Promise<string> {
  const { json, text } = await api.ask("POST", `/credentials/${encodeURIComponent(ref)}/rotate`, { reason: "due" });
  if (json["id"] === undefined) throw new Error(text);
  return json["id"] as string;
}

/** Version 2 is in force, and nobody gave it to rekey. */
async function rotated(ref: string): Promise<void> {
  const rotation = await rotate(ref);
  const id = await idOf(ref);
  await sql`
    UPDATE rotations SET outcome = 'proven', phase = 'closed', closed_at = clock_timestamp() WHERE id = ${rotation}
    `.execute(db());
  await sql`
    UPDATE versions SET state = CASE number WHEN 2 THEN 'live' ELSE 'proven-dead' END WHERE credential_id = ${id}
    `.execute(db());
  await sql`UPDATE credentials SET current_version = 2 WHERE id = ${id}`.execute(db());
}

const auditOf = async (action: string) =>
  (await sql<{ actor: string }>`SELECT actor FROM audit WHERE action = ${action}`.execute(db())).rows.length;

describe("deleting what is registered", () => {
  it("is refused while something needs it, which is named with what to do", async () => {
    const ref = await adopted(api);
    const team = teamOf(ref);
    expect(await refusal("team", team)).toMatch(
      new RegExp(`Connection ${team}/main, Consumer ${team}/web, Credential ${ref} belong to it. Delete those first`),
    );
    expect(await refusal("connection", `${team}/main`)).toBe(
      `Credential ${ref} uses it. Delete that first: rekey delete credential ${ref}.`,
    );
    expect(await refusal("environments", "prod")).toContain(`Credential ${ref}`);
  });

  it("leads from the consumer to the team, each audited, and gives the names free", async () => {
    const own = everything.replaceAll("shop", "gone").replaceAll("prod", "past");
    const secret = randomBytes(12).toString("hex");
    await apply(own, { [connectionIndex]: secret });
    const before = await auditOf("consumer.deleted");
    for (const [kind, name] of [
      ["consumer", "gone/web"],
      ["credential", "gone/orders"],
      ["connection", "gone/main"],
      ["environment", "past"],
      ["team", "gone"],
    ] as const) {
      const count = await auditOf(`${kind}.deleted`);
      await remove(kind, name);
      expect(await auditOf(`${kind}.deleted`)).toBe(count + 1);
      expect((await ask(kind, name)).status).toBe(404);
    }
    expect(await auditOf("consumer.deleted")).toBe(before + 1);
    const exported = await api.ask("GET", "/manifests");
    expect(exported.text).not.toContain("gone");
    expect(new Set(await apply(own, { [connectionIndex]: secret }))).toEqual(new Set(["create"]));
  });

  it("of a connection destroys its secret in custody", async () => {
    await apply(everything.replaceAll("shop", "safe").replaceAll("prod", "now").replace("/srv/web", "/srv/safe"), {
      [connectionIndex]: randomBytes(12).toString("hex"),
    });
    await remove("credential", "safe/orders");
    const { rows } = await sql<ConnectionSecretRow>`
      SELECT n.* FROM connections n JOIN teams t ON t.id = n.team_id WHERE t.name = 'safe'`.execute(db());
    const [row] = rows;
    if (row === undefined) throw new Error("no connection");
    const place = connectionSecretRef(row, api.deps.instance);
    expect(await api.custody.get(place)).toBeDefined();
    const { notes } = await remove("connection", "safe/main");
    expect(notes).toEqual([expect.stringContaining("Its secret is destroyed in custody.")]);
    expect(await api.custody.get(place)).toBeUndefined();
  });

  it("of a credential waits for its open rotation and its pending check", async () => {
    const ref = await adopted(api);
    const rotation = await rotate(ref);
    expect(await refusal("credential", ref)).toContain(`rekey rotation abort ${rotation}`);
    const other = await adopted(api);
    await sql`
      INSERT INTO checks (id, kind, subject_id, requested_by) VALUES ('chk_open', 'adopt', ${await idOf(other)}, 'tok')
      `.execute(db());
    expect(await refusal("credential", other)).toContain("Check chk_open of it is under way");
  });

  it("of a credential is refused while custody alone has a live version's value, and not once a consumer has it", async () => {
    const ref = await adopted(api);
    await rotated(ref);
    expect(await refusal("credential", ref)).toMatch(/^Version 2 works .* rotate once: rekey rotate /);
    const id = await idOf(ref);
    await sql`UPDATE consumers SET held_version = 1 WHERE credential_id = ${id}`.execute(db());
    expect(await refusal("credential", ref)).toContain("Version 2");
    await sql`UPDATE consumers SET held_version = 2 WHERE credential_id = ${id}`.execute(db());
    expect((await ask("credential", ref)).json["notes"]).toEqual([
      "Version 2 goes on working at its issuer, and nobody rotates or ends it any more.",
      expect.stringMatching(/^Consumer .*\/web is deleted with it. What lies at fake:.* stays.$/),
    ]);
    await remove("consumer", `${teamOf(ref)}/web`);
    expect(await refusal("credential", ref)).toContain("Version 2");
    await sql`UPDATE versions SET state = 'proven-dead' WHERE credential_id = ${id}`.execute(db());
    await remove("credential", ref);
  });

  describe("of a credential that has leaked", () => {
    const declare = async (ref: string) => {
      const asked = { credentials: [ref], reason: "found in a repository" };
      const { json, text } = await api.ask("POST", "/emergencies", asked);
      if (json["affected"] === undefined) throw new Error(text);
      return (json["affected"] as readonly { readonly emergencyId: string }[])[0]?.emergencyId ?? "";
    };
    /** No rotation of it can begin. */
    const block = async (ref: string) =>
      sql`UPDATE credentials SET current_version = NULL WHERE id = ${await idOf(ref)}`.execute(db());
    const stateOf = async (emergency: string) =>
      (
        await sql<{ outcome: string | null; actor: string | null; left: number[] | null }>`
          SELECT e.outcome, a.actor, a.details -> 'left' AS left FROM emergencies e
          LEFT JOIN audit a ON a.action = 'emergency.closed' AND a.details ->> 'emergency' = e.id
          WHERE e.id = ${emergency}`.execute(db())
      ).rows;

    it("is refused while its emergency runs or is about to begin", async () => {
      const ref = await adopted(api);
      const emergency = await declare(ref);
      expect(await refusal("credential", ref)).toMatch(/^Its rotation rot_\w+ is open/);
      await sql`UPDATE rotations SET outcome = 'undone', phase = 'closed', closed_at = clock_timestamp()
        WHERE credential_id = ${await idOf(ref)}`.execute(db());
      expect(await refusal("credential", ref)).toContain(`Its emergency ${emergency} is about to begin its rotation.`);
    });

    it("ends an emergency that cannot begin, says so before, and calls nothing proven; nobody looks at it any more", async () => {
      const ref = await adopted(api);
      await block(ref);
      const emergency = await declare(ref);
      const { notes } = await remove("credential", ref);
      expect(notes[0]).toContain(`Its emergency ${emergency} is ended WITHOUT PROOF: version 1 has leaked`);
      expect(await stateOf(emergency)).toEqual([
        { outcome: "unproven", actor: expect.stringMatching(/^tok_/), left: [1] },
      ]);
      const { rows } = await sql`SELECT state FROM versions WHERE credential_id IN (
        SELECT credential_id FROM emergencies WHERE id = ${emergency})`.execute(db());
      expect(rows).toEqual([{ state: "live" }]);
    });

    it("that a former release deleted with its emergency open is looked at once more, and then no more", async () => {
      const ref = await adopted(api);
      await block(ref);
      const emergency = await declare(ref);
      await sql`UPDATE credentials SET retired_at = clock_timestamp() WHERE id = ${await idOf(ref)}`.execute(db());
      await settleDue(api.deps.ledger);
      expect(await stateOf(emergency)).toEqual([{ outcome: "unproven", actor: "system:ledger", left: [1] }]);
    });
  });

  it("of a credential keeps all of its history, and nothing more is done with it", async () => {
    const ref = await adopted(api);
    await rotated(ref);
    const id = await idOf(ref);
    await sql`UPDATE consumers SET held_version = 2 WHERE credential_id = ${id}`.execute(db());
    const tables = ["credentials", "versions", "consumers", "rotations", "rotation_principals", "audit", "outbox"];
    const counts = async () => {
      const all: number[] = [];
      for (const table of tables) {
        const { rows } = await sql<{ count: number }>`SELECT count(*) FROM ${sql.table(table)}`.execute(db());
        all.push(rows[0]?.count ?? 0);
      }
      return all;
    };
    const before = await counts();
    await remove("credential", ref);
    const after = await counts();
    expect(after.slice(0, 5)).toEqual(before.slice(0, 5));
    // The credential's row and its consumer's.
    expect(after.slice(5)).toEqual(before.slice(5).map((count) => count + 2));
    expect((await api.ask("GET", "/credentials")).text).not.toContain(ref.split("/")[1]);
    expect((await api.ask("GET", `/audit?credential=${id}`)).text).toContain("credential.deleted");
    expect((await api.ask("POST", `/credentials/${id}/rotate`, { reason: "due" })).status).toBe(404);
    const secret = randomBytes(12).toString("hex");
    const adopting = { secret, fields: { username: "orders_a" } };
    await sql`UPDATE credentials SET current_version = NULL WHERE id = ${id}`.execute(db());
    expect((await api.ask("POST", `/credentials/${id}/adopt`, adopting)).status).toBe(404);
  });

  it("gives the handles of its versions free, so that the same login can be registered again", async () => {
    const ref = await adopted(api);
    const id = await idOf(ref);
    await remove("credential", ref);
    const insert = sql`
      INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key, handle)
      SELECT ${newId("version")}, credential_id, connection_id, 9, 'live', ${newId("version")}, handle
      FROM versions WHERE credential_id = ${id} AND number = 1`;
    await insert.execute(db());
    await expect(
      sql`INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key, handle)
        SELECT ${newId("version")}, credential_id, connection_id, 10, 'live', ${newId("version")}, handle
        FROM versions WHERE credential_id = ${id} AND number = 9`.execute(db()),
    ).rejects.toMatchObject({ constraint: "versions_connection_id_handle_key" });
  });

  it("invariant 10: of a consumer that an open rotation has delivered to is refused, since its undo has to reach it", async () => {
    const ref = await adopted(api);
    const rotation = await rotate(ref);
    const consumer = `${teamOf(ref)}/web`;
    const { json } = await ask("consumer", consumer);
    expect(json["notes"]).toContainEqual(expect.stringContaining(`${rotation} has not delivered to it yet`));
    await sql`
      INSERT INTO deliveries (id, rotation_id, consumer_id, target, version, epoch, number)
      SELECT ${newId("delivery")}, ${rotation}, id, target, 2, 1, 1 FROM consumers WHERE credential_id = ${await idOf(ref)}
      `.execute(db());
    expect(await refusal("consumer", consumer)).toContain(`Rotation ${rotation} is open and has delivered to it.`);
    const late = await ask("consumer", consumer, { digest: json["digest"] });
    expect([late.status, late.json["code"]]).toEqual([409, "delete_refused"]);
  });

  it("of a suspected consumer is refused until somebody has answered for it, so that it does not come back unsuspected", async () => {
    const ref = await adopted(api);
    const consumer = `${teamOf(ref)}/web`;
    const asked = { credentials: [ref], reason: "found in a repository", suspects: [consumer] };
    await api.ask("POST", "/emergencies", asked);
    const { json: planned } = await ask("consumer", consumer);
    expect(planned).toMatchObject({ code: "delete_refused" });
    // Its emergency is over: the suspicion is not.
    await sql`UPDATE rotations SET outcome = 'proven', phase = 'closed', closed_at = clock_timestamp()
      WHERE credential_id = ${await idOf(ref)}`.execute(db());
    await sql`UPDATE emergencies SET outcome = 'proven', closed_at = clock_timestamp()
      WHERE credential_id = ${await idOf(ref)}`.execute(db());
    const said = await refusal("consumer", consumer);
    expect(said).toMatch(/^Emergency emg_\w+ suspects it to be the leak/);
    expect(said).toContain(`rekey consumer release ${consumer} --credential ${ref} --reason`);
    const byTeam = await (
      await api.as("team", await teamId(ref))
    ).ask("POST", `/consumers/web/retire`, { credential: ref });
    expect(byTeam.json).toMatchObject({ code: "delete_refused", detail: expect.stringContaining("consumer release") });
    await api.ask("POST", `/consumers/${encodeURIComponent(consumer)}/release`, { reason: "installed anew" });
    await remove("consumer", consumer);
  });

  it("of a credential takes its suspected consumers with it", async () => {
    const ref = await adopted(api);
    await sql`UPDATE credentials SET current_version = NULL WHERE id = ${await idOf(ref)}`.execute(db());
    const asked = { credentials: [ref], reason: "found in a repository", suspects: [`${teamOf(ref)}/web`] };
    expect((await api.ask("POST", "/emergencies", asked)).json).toMatchObject({ affected: [{ how: "refused" }] });
    const { notes } = await remove("credential", ref);
    expect(notes.join(" ")).toContain(`Consumer ${teamOf(ref)}/web is deleted with it.`);
  });

  it("is none when its audit row cannot be written", async () => {
    const ref = await adopted(api);
    await sql`
      CREATE FUNCTION no_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$`.execute(db());
    await sql`CREATE TRIGGER no_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION no_audit()`.execute(db());
    const { json } = await ask("credential", ref);
    expect((await ask("credential", ref, { digest: json["digest"] })).status).toBe(500);
    await sql`DROP FUNCTION no_audit() CASCADE`.execute(db());
    expect((await ask("credential", ref)).status).toBe(200);
  });

  it("is that of which a person was told: what changed meanwhile is shown again", async () => {
    const ref = await adopted(api);
    const { json } = await ask("credential", ref);
    await remove("consumer", `${teamOf(ref)}/web`);
    const { status, json: answer } = await ask("credential", ref, { digest: json["digest"] });
    expect([status, answer["code"]]).toEqual([409, "plan_changed"]);
    expect((await ask("credential", ref)).status).toBe(200);
  });

  it("says which name was meant, and asks when there are several", async () => {
    const ref = await adopted(api, "ledgers");
    expect((await ask("credental", ref)).json["detail"]).toContain("Did you mean credential?");
    expect((await ask("credential", ref.replace("ledgers", "ledgrs"))).json["detail"]).toContain(`mean ${ref}?`);
    const other = await adopted(api, "ledgers");
    const several = (await ask("credential", "ledgers")).json["detail"];
    expect(several).toContain("Several teams have one of that name.");
    expect(several).toContain(other);
    const team = teamOf(ref);
    const second = everything
      .replaceAll("shop", team)
      .replaceAll("orders", "second")
      .replace("/srv/web.env", "/srv/second.env")
      .replace("  secretFrom: given\n", "");
    await apply(second);
    expect((await ask("consumer", `${team}/web`)).json["detail"]).toContain("Add --credential with one of");
    const { ref: deleted } = await remove("consumer", `${team}/web`, { credential: `${team}/second` });
    expect(deleted).toBe(`Consumer ${team}/web`);
    expect((await ask("consumer", `${team}/web`)).status).toBe(200);
    expect((await ask("consumer", `${team}/web`, { credential: `${team}/second` })).json["detail"]).toContain(
      `those of ${ref} have`,
    );
  });
});
