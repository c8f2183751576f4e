import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import type { Command } from "../domain/command.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { asCommand, giveCommand, type CommandAnswer } from "./commands.ts";
import { newId } from "./new-id.ts";
import { rotationState } from "./rotation-state.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const give = (rotationId: string, command: Command, actor = "tok_one") =>
  giveCommand(test.ledger, { rotationId, command, actor, reason: "asked" });

async function newRotation(): Promise<string> {
  const [rotationId = ""] = await makeRotations(test.ledger, 1);
  return rotationId;
}

async function count(from: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM ${sql.raw(from)}`.execute(test.ledger.db);
  return rows[0]?.n ?? -1;
}

async function openHold(rotationId: string): Promise<string> {
  const holdId = newId("hold");
  const gaps = JSON.stringify([{ code: "stranger_seen", key: "stranger_seen:a", text: "a" }]);
  await sql`
    INSERT INTO holds (id, rotation_id, number, phase, code, detail, gaps)
    VALUES (${holdId}, ${rotationId}, 1, 'reserved', 'stranger_seen', 'a', ${gaps}::jsonb)`.execute(test.ledger.db);
  return holdId;
}

const isNew = (answer: CommandAnswer | undefined) => answer?.ok === true && answer.isNew;

describe("giving a command", () => {
  it("stores one pending row and one audit row, and the row gives the command back", async () => {
    const rotationId = await newRotation();
    expect(await give(rotationId, { kind: "extend", byMs: 5_000 })).toMatchObject({ ok: true, isNew: true });
    const { rows } = await sql<{ kind: "extend"; arguments: Record<string, unknown>; state: string }>`
      SELECT kind, arguments, state FROM commands WHERE rotation_id = ${rotationId}`.execute(test.ledger.db);
    expect(rows).toEqual([{ kind: "extend", arguments: { byMs: 5_000, reason: "asked" }, state: "pending" }]);
    expect(asCommand("extend", rows[0]?.arguments ?? {})).toEqual({ kind: "extend", byMs: 5_000 });
    expect(await count(`audit WHERE action = 'command.given' AND rotation_id = '${rotationId}'`)).toBe(1);
  });

  it("answers what does not fit with the sentence of the domain and stores nothing", async () => {
    const rotationId = await newRotation();
    expect(await give(rotationId, { kind: "resume" })).toEqual({ ok: false, reason: "The rotation is not paused." });
    expect(await count(`commands WHERE rotation_id = '${rotationId}'`)).toBe(0);
  });

  it("hears two operators who say the same at once as one", async () => {
    const rotationId = await newRotation();
    const answers = await Promise.all(
      ["tok_one", "tok_two"].map((actor) => give(rotationId, { kind: "pause" }, actor)),
    );
    expect(answers.filter(isNew)).toHaveLength(1);
    expect(await count(`commands WHERE rotation_id = '${rotationId}'`)).toBe(1);
  });

  it("lets the first of two answers to one hold stand and says so to the second", async () => {
    const rotationId = await newRotation();
    const hold = { kind: "decide", holdId: await openHold(rotationId), gaps: ["stranger_seen:a"] } as const;
    const answers = await Promise.all([
      give(rotationId, { ...hold, decision: "retry" }, "tok_one"),
      give(rotationId, { ...hold, decision: "roll-back" }, "tok_two"),
    ]);
    expect(answers.filter(isNew)).toHaveLength(1);
    expect(answers.find((answer) => answer?.ok === false)).toMatchObject({
      reason: expect.stringContaining("the first answer stands"),
    });
  });

  it("keeps two extensions, since each is meant", async () => {
    const rotationId = await newRotation();
    await give(rotationId, { kind: "extend", byMs: 1 });
    await give(rotationId, { kind: "extend", byMs: 1 });
    expect(await count(`commands WHERE rotation_id = '${rotationId}'`)).toBe(2);
  });

  it("lets extensions, those that nobody has heard yet included, go as far as graceMax and no further", async () => {
    const rotationId = await newRotation();
    const policy = JSON.stringify({ graceMs: 60_000, graceMaxMs: 180_000 });
    await sql`UPDATE credentials SET policy = ${policy}::jsonb
      WHERE id = (SELECT credential_id FROM rotations WHERE id = ${rotationId})`.execute(test.ledger.db);
    const extend = async (byMs: number) => give(rotationId, { kind: "extend", byMs });
    expect(await extend(120_001)).toMatchObject({ ok: false, reason: expect.stringContaining("120s at most") });
    expect(await extend(100_000)).toMatchObject({ ok: true });
    expect(await extend(20_001)).toMatchObject({ ok: false, reason: expect.stringContaining("20s at most") });
    await sql`UPDATE rotations SET extended_ms = 100000 WHERE id = ${rotationId}`.execute(test.ledger.db);
    await sql`UPDATE commands SET state = 'consumed' WHERE rotation_id = ${rotationId}`.execute(test.ledger.db);
    expect(await extend(20_001)).toMatchObject({ ok: false });
    expect(await extend(20_000)).toMatchObject({ ok: true });
  });

  it("knows nothing of a rotation that does not exist", async () => {
    expect(await give(newId("rotation"), { kind: "pause" })).toBeUndefined();
  });

  it("invariant 15: stores no command when its audit row cannot be written", async () => {
    const own = await withLedger();
    const { db } = own.ledger;
    const [rotationId = ""] = await makeRotations(own.ledger, 1);
    await sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no audit'; END$$`.execute(db);
    await sql`CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()`.execute(db);
    const given = giveCommand(own.ledger, { rotationId, command: { kind: "pause" }, actor: "tok_one" });
    await expect(given).rejects.toThrow("no audit");
    const { rows } = await sql<{ n: number }>`SELECT count(*) AS n FROM commands`.execute(db);
    expect(rows[0]?.n).toBe(0);
  });
});

describe("the state of many rotations", () => {
  it("tells intent, hold with gaps and candidate of each, and leaves out what does not exist", async () => {
    const [one = "", two = ""] = await makeRotations(test.ledger, 2);
    await sql`
      INSERT INTO operations (id, rotation_id, step, claim_epoch, claim_number)
      VALUES (${newId("operation")}, ${one}, 'issue', 1, 1)`.execute(test.ledger.db);
    const holdId = await openHold(two);
    const states = await rotationState(test.ledger.db, [one, two, newId("rotation")]);
    expect(states.size).toBe(2);
    expect(states.get(one)).toMatchObject({ issueIntended: true, hold: undefined, candidateVersion: 2 });
    expect(states.get(two)).toMatchObject({
      issueIntended: false,
      hold: { holdId, code: "stranger_seen", gaps: ["stranger_seen:a"] },
    });
  });
});
