import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Secret } from "../providers/contract/secret.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { adopted, holdRotations, type TestHold } from "../test/harness/api-rows.ts";

let api: TestApi;
/** `team/name` of a credential that may rotate, a new one for each test. */
const newCredential = () => adopted(api);

beforeAll(async () => {
  api = await withApi(await withLedger());
});

const rotate = (ref: string, from = api) =>
  from.ask("POST", `/credentials/${encodeURIComponent(ref)}/rotate`, { reason: "due" });

async function rotationOf(ref: string): Promise<string> {
  return (await rotate(ref)).json["id"] as string;
}

const show = async (rotation: string) => (await api.ask("GET", `/rotations/${encodeURIComponent(rotation)}`)).json;
const give = (rotation: string, command: unknown, from = api) =>
  from.ask("POST", `/rotations/${rotation}/commands`, { command, reason: "asked" });

describe("reserving a rotation", () => {
  it("invariant 7: gives two operators who ask at once one rotation, and says whose was new", async () => {
    const ref = await newCredential();
    const answers = await Promise.all([1, 2, 3].map(() => rotate(ref)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set(answers.map(({ json }) => json["id"])).size).toBe(1);
    expect(answers.filter(({ json }) => json["isNew"] === true)).toHaveLength(1);
  });

  it("is refused for a credential whose value nobody has given, with the next step", async () => {
    const ref = await newCredential();
    await sql`UPDATE credentials SET current_version = NULL WHERE name = ${ref.split("/")[1] ?? ""}`.execute(
      api.deps.ledger.db,
    );
    const { status, json } = await rotate(ref);
    expect(status).toBe(409);
    expect(json).toMatchObject({ code: "not_adopted", detail: expect.stringContaining("rekey credential adopt") });
  });

  it("knows a credential by id, by team/name and by a name that one team has", async () => {
    const ref = await newCredential();
    const id = await rotationOf(ref);
    const { json } = await api.ask("GET", `/credentials/${encodeURIComponent(ref)}`);
    for (const name of [ref, ref.split("/")[1] ?? "", json["id"] as string]) expect(await rotationOf(name)).toBe(id);
  });

  it("asks which one is meant when two teams have the name", async () => {
    const name = "twice";
    await adopted(api, name);
    await adopted(api, name);
    const { status, json } = await rotate(name);
    expect(status).toBe(400);
    expect(json["detail"]).toMatch(/Write one of t\w+\/twice, t\w+\/twice\./);
  });

  it("says of a wrong id of a rotation that it is none, and of a missing one how to list them", async () => {
    const typo = await api.ask("GET", "/rotations/rot_typo");
    expect([typo.status, typo.json["detail"]]).toEqual([404, expect.stringContaining("no rotation's id")]);
    const missing = await api.ask("GET", `/rotations/rot_${"0".repeat(26)}`);
    expect([missing.status, missing.json["detail"]]).toEqual([404, expect.stringContaining("no such rotation")]);
    const pause = await api.ask("POST", "/rotations/rot_typo/commands", { command: { kind: "pause" } });
    const nothing = await api.ask("GET", "/rotations/nothing");
    expect(nothing.json["detail"]).toContain("No rotation and no credential");
    for (const { json } of [typo, missing, pause, nothing]) expect(json["detail"]).toContain("rekey rotation list");
  });

  it("repeats nothing of a name that does not exist", async () => {
    const { status, text } = await rotate("hunter2");
    expect(status).toBe(404);
    expect(text).not.toContain("hunter2");
  });
});

describe("what is shown of a rotation", () => {
  it("where it is, what it waits for since when, and its consumers", async () => {
    const ref = await newCredential();
    const found = await show(await rotationOf(ref));
    expect(found).toMatchObject({
      credential: ref,
      phase: "reserved",
      isPastReturn: false,
      hold: null,
      waitsFor: { text: "A worker to begin it.", since: found["createdAt"] },
      consumers: [{ target: expect.stringMatching(/^fake:/), wanted: "observed", heldVersion: null, evidence: [] }],
    });
    expect((found["phases"] as { state: string }[]).map(({ state }) => state)).toEqual([
      "here",
      ...Array.from({ length: 10 }, () => "to come"),
    ]);
  });

  it("its open hold with numbered gaps and what each answer would do", async () => {
    const { rotation } = await held();
    expect(await show(rotation)).toMatchObject({
      waitsFor: { text: expect.stringContaining("A person, to answer hold 1") },
      hold: {
        number: 1,
        title: expect.any(String),
        gaps: [
          { number: 1, key: "stranger_seen:a", text: "psql from a", owner: null },
          { number: 2, key: "stranger_seen:b", text: "psql from b", owner: { contact: expect.stringMatching(/^#t/) } },
        ],
        owner: { consumer: null, team: expect.any(String), contact: expect.stringMatching(/^#t/) },
        choices: [
          { name: "retry", allowed: true, needsReason: false },
          { name: "roll-back", allowed: true, text: expect.stringContaining("gets the former one back") },
          {
            name: "accept",
            allowed: true,
            needsReason: true,
            text: expect.stringContaining("recorded with your name"),
          },
          { name: "wait", allowed: true },
          { name: "pause", allowed: true },
          { name: "abort", allowed: true },
        ],
        givenAnswer: null,
      },
    });
  });

  it("an answer that no step has heard yet, and then what it waits for instead", async () => {
    const { rotation, holdId } = await held();
    await give(rotation, { kind: "decide", holdId, decision: "retry", gaps: [] });
    expect(await show(rotation)).toMatchObject({
      hold: { givenAnswer: { decision: "retry" } },
      waitsFor: { text: "Its next step, to hear the command decide." },
      commands: [{ kind: "decide", state: "pending" }],
    });
  });

  it("the sessions of the newest sample, by the number of their version", async () => {
    const ref = await newCredential();
    const rotation = await rotationOf(ref);
    const { db } = api.deps.ledger;
    const { rows } = await sql<{ handle: string }>`
      SELECT v.handle FROM versions v JOIN rotations r ON r.credential_id = v.credential_id
      WHERE r.id = ${rotation} AND v.number = 1`.execute(db);
    const session = { principal: "a", database: "d", address: "10.0.0.7", applicationName: "psql", startedAt: "now" };
    const usage = JSON.stringify({ at: "now", sessions: { [rows[0]?.handle ?? ""]: [session] } });
    await sql`INSERT INTO usage_samples (rotation_id, usage) VALUES (${rotation}, ${usage}::jsonb)`.execute(db);
    expect(await show(rotation)).toMatchObject({ sessions: { list: [{ ...session, version: 1 }] } });
  });

  it("when the issuer says that each version was last used, as exactly as it tells that", async () => {
    const { db } = api.deps.ledger;
    const ref = await newCredential();
    const rotation = await rotationOf(ref);
    const told = { toldAt: "2026-01-02T03:04:05.000Z", at: "2026-01-02T03:00:00.000Z", by: "service s3" };
    await sql`
      UPDATE versions v SET last_use = ${JSON.stringify(told)}::jsonb FROM rotations r
      WHERE r.id = ${rotation} AND v.credential_id = r.credential_id AND v.number = 1`.execute(db);
    expect(await show(rotation)).toMatchObject({ lastUses: [] });
    const { issuers } = api.deps.catalog;
    const [kind = "", issuer] = Object.entries(issuers)[0] ?? [];
    if (issuer === undefined) throw new Error("the catalog has no issuer");
    const usage = { covers: "last-used", grain: "version", grainMs: 60_000, lateByMs: 120_000 } as const;
    Object.assign(issuers, { [kind]: { ...issuer, facts: { ...issuer.facts, usage } } });
    onTestFinished(() => void Object.assign(issuers, { [kind]: issuer }));
    const lastUses = [{ version: 1, ...told, grainMs: 60_000, lateByMs: 120_000 }];
    expect(await show(rotation)).toMatchObject({ lastUses });
    const { json } = await api.ask("GET", `/credentials/${encodeURIComponent(ref)}/plan`);
    expect(json).toMatchObject({ lastUses, warnings: expect.arrayContaining([expect.stringContaining("4 min")]) });
  });

  it("by its credential the open one, else the last one", async () => {
    const ref = await newCredential();
    const first = await rotationOf(ref);
    await sql`
      UPDATE rotations SET outcome = 'proven', phase = 'closed', closed_at = clock_timestamp() WHERE id = ${first}`.execute(
      api.deps.ledger.db,
    );
    await sql`UPDATE rotation_principals SET open = false WHERE rotation_id = ${first}`.execute(api.deps.ledger.db);
    expect((await show(ref))["id"]).toBe(first);
    const second = await rotationOf(ref);
    expect(second).not.toBe(first);
    expect((await show(ref))["id"]).toBe(second);
    const { json } = await api.ask("GET", `/rotations?credential=${encodeURIComponent(ref)}&open=true`);
    expect(json["rotations"]).toMatchObject([{ id: second }]);
  });
});

describe("commands", () => {
  it("are stored with the caller's id, and refused with the sentence of the domain", async () => {
    const rotation = await rotationOf(await newCredential());
    expect((await give(rotation, { kind: "pause" })).json).toMatchObject({ isNew: true, rotationId: rotation });
    const { rows } = await sql<{ actor: string }>`SELECT actor FROM commands WHERE rotation_id = ${rotation}`.execute(
      api.deps.ledger.db,
    );
    expect(rows[0]?.actor).toMatch(/^tok_/);
    // A second pause after a resume that waits is a command of its own; a second resume is none.
    expect((await give(rotation, { kind: "resume" })).status).toBe(200);
    expect((await give(rotation, { kind: "pause" })).status).toBe(200);
    const refused = await give(await rotationOf(await newCredential()), { kind: "resume" });
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({ code: "command_refused", detail: "The rotation is not paused." });
  });

  it("invariant 4: accept has to name every gap of the open hold", async () => {
    const { rotation, holdId } = await held();
    const accept = { kind: "decide", holdId, decision: "accept" };
    const short = await give(rotation, { ...accept, gaps: ["stranger_seen:a"] });
    expect(short.status).toBe(409);
    expect(short.json["detail"]).toBe("The decision does not name: stranger_seen:b.");
    const whole = { ...accept, gaps: ["stranger_seen:a", "stranger_seen:b"] };
    const silent = await api.ask("POST", `/rotations/${rotation}/commands`, { command: whole, reason: " " });
    expect([silent.status, silent.json["detail"]]).toEqual([400, expect.stringContaining("Say why")]);
    expect((await give(rotation, whole)).status).toBe(200);
  });

  it("of two operators who answer differently the first is heard, and the second told so", async () => {
    const { rotation, holdId } = await held();
    const answers = await Promise.all(
      ["retry", "roll-back"].map((decision) => give(rotation, { kind: "decide", holdId, decision, gaps: [] })),
    );
    expect(answers.map(({ status }) => status)).toEqual(expect.arrayContaining([200, 409]));
  });

  it("of an unknown kind, or for an unknown rotation, are refused", async () => {
    const rotation = await rotationOf(await newCredential());
    expect((await give(rotation, { kind: "explode" })).status).toBe(400);
    expect((await give("rot_00000000000000000000000000", { kind: "pause" })).status).toBe(404);
  });
});

describe("the plan of a rotation", () => {
  it("names every call, what each consumer can give, the time and the point of no return", async () => {
    const ref = await newCredential();
    const { json } = await api.ask("GET", `/credentials/${encodeURIComponent(ref)}/plan`);
    expect(json).toMatchObject({
      credential: ref,
      order: "overlap",
      fromVersion: 1,
      pointOfNoReturn: "revoking",
      consumers: [{ wanted: "observed", canGive: ["observed", "delivered"] }],
    });
    const calls = (json["steps"] as { calls: string[] }[]).flatMap((step) => step.calls);
    expect(calls).toContain("fake-db: end the old version");
    expect((json["steps"] as { crossesReturn: boolean }[]).filter((step) => step.crossesReturn)).toHaveLength(1);
  });

  it("warns of what will make it wait or fail", async () => {
    const ref = await newCredential();
    const { db } = api.deps.ledger;
    await sql`UPDATE consumers SET retired_at = clock_timestamp() WHERE credential_id = (
      SELECT id FROM credentials WHERE name = ${ref.split("/")[1] ?? ""})`.execute(db);
    const { json } = await api.ask("GET", `/credentials/${encodeURIComponent(ref)}/plan`);
    expect((json["warnings"] as string[]).join(" ")).toContain("No consumer is registered");
    expect((json["warnings"] as string[]).join(" ")).toContain("has no secret");
  });

  it("says of each consumer what its kind notes of a target", async () => {
    const ref = await newCredential();
    const { json } = await api.ask("GET", `/credentials/${encodeURIComponent(ref)}/plan`);
    expect(json["warnings"]).toContainEqual(expect.stringMatching(/^fake:\/srv\/\S+ is minded by its worker alone\.$/));
  });

  it("names the way to give the value of today, with the logins that there are", async () => {
    const ref = await newCredential();
    await sql`UPDATE credentials SET current_version = NULL WHERE name = ${ref.split("/")[1] ?? ""}`.execute(
      api.deps.ledger.db,
    );
    const { json } = await api.ask("GET", `/credentials/${encodeURIComponent(ref)}/plan`);
    expect(json["warnings"]).toContain(
      `It has no current version: rekey credential adopt ${ref} --username LOGIN, where LOGIN is the one in use of orders_a, orders_b`,
    );
  });
});

describe("a reason", () => {
  /** Makes a value of the credential known, as a worker does that has adopted or issued it. */
  async function newKnown(ref: string): Promise<string> {
    const known = randomBytes(12).toString("hex");
    await sql`
      UPDATE versions SET fingerprint = ${api.deps.fingerprints.of(new Secret(known))}
      WHERE credential_id = (SELECT id FROM credentials WHERE name = ${ref.split("/")[1] ?? ""})`.execute(
      api.deps.ledger.db,
    );
    return known;
  }

  it.each([
    (known: string) => known,
    (known: string) => `the password "${known}", was leaked`,
    (known: string) => `PASSWORD=${known}`,
    (known: string) => `postgres://orders_a:${known}@db/orders`,
  ])("invariant 6: that holds a value of the credential is refused, and nothing is stored (%#)", async (write) => {
    const ref = await newCredential();
    const known = await newKnown(ref);
    const path = `/credentials/${encodeURIComponent(ref)}/rotate`;
    const refused = await api.ask("POST", path, { reason: write(known) });
    expect(refused).toMatchObject({ status: 400, json: { code: "request_invalid" } });
    expect(refused.text).not.toContain(known);
    const { rows } = await sql`SELECT r.id FROM rotations r JOIN credentials c ON c.id = r.credential_id
      WHERE c.name = ${ref.split("/")[1] ?? ""}`.execute(api.deps.ledger.db);
    expect(rows).toEqual([]);
    const rotation = await rotationOf(ref);
    const body = { command: { kind: "pause" }, reason: write(known) };
    expect((await api.ask("POST", `/rotations/${rotation}/commands`, body)).status).toBe(400);
    expect((await api.ask("GET", `/rotations/${rotation}`)).json["commands"]).toEqual([]);
    expect(api.logged.join("")).not.toContain(known);
  });

  it.each(['due: "orders" of 2026, see TICKET-12345678', "the hidden [redacted] key, ****** in the log"])(
    "in ordinary words is stored as typed: %s",
    async (reason) => {
      const ref = await newCredential();
      await newKnown(ref);
      const path = `/credentials/${encodeURIComponent(ref)}/rotate`;
      const { json } = await api.ask("POST", path, { reason });
      const shown = await api.ask("GET", `/rotations/${json["id"] as string}`);
      expect(shown.json["reason"]).toBe(reason);
    },
  );
});

describe("the audit trail", () => {
  it("lists what happened to a credential and to a rotation, newest first", async () => {
    const ref = await newCredential();
    const rotation = await rotationOf(ref);
    await give(rotation, { kind: "pause" });
    const { json } = await api.ask("GET", `/audit?rotation=${rotation}`);
    expect((json["rows"] as { action: string }[]).map(({ action }) => action)).toEqual([
      "command.given",
      "rotation.reserved",
    ]);
    const about = await api.ask("GET", `/audit?credential=${encodeURIComponent(ref)}&limit=1`);
    expect(about.json["rows"]).toMatchObject([
      { action: "command.given", credential: ref, details: { reason: "asked" } },
    ]);
  });

  it("is verified by what its keys say", async () => {
    const { json } = await api.ask("POST", "/audit/verify", {});
    expect(json).toMatchObject({ ok: true, count: 0, heads: 0 });
  });
});

async function held(): Promise<TestHold> {
  return holdRotations(api, await rotationOf(await newCredential()));
}
