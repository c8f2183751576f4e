import { generateKeyPairSync, randomBytes } from "node:crypto";
import { sql } from "kysely";
import pg from "pg";
import { beforeEach, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { signingKeyFrom, type AuditHead } from "./audit-chain.ts";
import { readOutbox, recordEvent, recordEvents } from "./audit.ts";
import { verifyAudit } from "./audit-verify.ts";
import type { Ledger } from "./database.ts";
import { createSealer, type Sealer } from "./sealer.ts";

const key = signingKeyFrom("sig_1", randomBytes(32));
let test: TestLedger;
let sealer: Sealer;
const event = (n: number) => ({
  credentialId: `cred_${n}`,
  actor: "system:test",
  action: "rotation.reserved",
  details: { n },
});
const verify = (anchor?: AuditHead) => verifyAudit(test.ledger, key.publicKey, anchor);

/** What somebody who owns the tables can do: the triggers that keep rows do not bind them. */
async function tamper(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: test.url });
  await client.connect();
  try {
    await client.query(`SET session_replication_role = replica; ${statement}`);
  } finally {
    await client.end();
  }
}

beforeEach(async () => {
  test = await withLedger();
  sealer = createSealer({ ledger: test.ledger, signingKey: key, headEveryMs: 0 });
  await recordEvents(test.ledger.db, [1, 2, 3, 4, 5].map(event));
  return () => test.close();
});

describe("the sealer", () => {
  it("seals each row once, in order, and the chain verifies", async () => {
    expect(await sealer.runOnce()).toMatchObject({ hadTurn: true, sealed: 5, head: { position: 5, lastAuditId: 5 } });
    expect(await sealer.runOnce()).toEqual({ hadTurn: true, sealed: 0 });
    expect(await verify()).toEqual({ ok: true, count: 5, heads: 1, unsealed: 0 });
  });

  it("seals a row that appears behind one with a higher id, and readers of the outbox miss none", async () => {
    await sealer.runOnce();
    const late = new pg.Client({ connectionString: test.url });
    await late.connect();
    await late.query("BEGIN; INSERT INTO audit (actor, action) VALUES ('a', 'late')");
    await late.query("INSERT INTO outbox (audit_id, event, body) SELECT max(id), 'late', '{}' FROM audit");
    await recordEvent(test.ledger.db, event(7));
    for (const sealed of [1, 0]) expect((await sealer.runOnce()).sealed).toBe(sealed);
    const seen = await readOutbox(test.ledger.db, 0, 100);
    await late.query("COMMIT");
    await late.end();
    expect((await sealer.runOnce()).sealed).toBe(1);
    expect((await readOutbox(test.ledger.db, seen.at(-1)?.position ?? 0, 100)).map((row) => row.event)).toEqual([
      "late",
    ]);
    expect(await verify()).toMatchObject({ ok: true, count: 7 });
  });

  it("works in batches, and two sealers never fork the chain", async () => {
    await recordEvents(
      test.ledger.db,
      Array.from({ length: 200 }, (_, n) => event(n)),
    );
    const small = [1, 2].map(() => createSealer({ ledger: test.ledger, signingKey: key, batch: 17, headEveryMs: 0 }));
    for (let round = 0; round < 15; round += 1) await Promise.all(small.map((each) => each.runOnce()));
    expect(await verify()).toMatchObject({ ok: true, count: 205, unsealed: 0 });
  });

  it("signs no second head before its time, and goes on when a head cannot be sent", async () => {
    const errors: unknown[] = [];
    const slow = createSealer({
      ledger: test.ledger,
      signingKey: key,
      onHead: () => Promise.reject(new Error("no way out")),
      onTrouble: (error) => errors.push(error),
    });
    expect((await slow.runOnce()).head).toBeDefined();
    expect(errors).toHaveLength(1);
    await recordEvent(test.ledger.db, event(6));
    expect(await slow.runOnce()).toEqual({ hadTurn: true, sealed: 1 });
  });

  it("tells once that the ledger is away, however often it tries, and once that it is back", async () => {
    const told: string[] = [];
    let turns = 0;
    const ledger: Ledger = {
      ...test.ledger,
      get db() {
        turns += 1;
        if (turns <= 3) throw new Error("away");
        return test.ledger.db;
      },
    };
    const onTrouble = (error: unknown) => told.push(String(error));
    const quick = createSealer({
      ledger,
      signingKey: key,
      everyMs: 1,
      onTrouble,
      onRecovered: (failures) => told.push(`${failures} failures`),
    });
    quick.start();
    await expect.poll(() => turns).toBeGreaterThan(5);
    await quick.stop();
    expect(told).toEqual(["Error: away", "3 failures"]);
  });

  it("runs by itself until stopped", async () => {
    const quick = createSealer({ ledger: test.ledger, signingKey: key, everyMs: 5, headEveryMs: 0 });
    quick.start();
    await expect.poll(async () => (await readOutbox(test.ledger.db, 0, 100)).length).toBe(5);
    await quick.stop();
    await recordEvent(test.ledger.db, event(6));
    expect(await verify()).toMatchObject({ ok: true, count: 5, unsealed: 1 });
  });
});

describe("an audit row", () => {
  it("invariant 15: rolls back with the state, and takes the state with it", async () => {
    const work = test.ledger.db.transaction().execute(async (trx) => {
      await recordEvent(trx, event(6));
      throw new Error("state refused");
    });
    await expect(work).rejects.toThrow("state refused");
    expect((await sealer.runOnce()).sealed).toBe(5);
  });

  it("cannot be changed, deleted or truncated in the ordinary way", async () => {
    for (const table of ["audit", "audit_seals", "audit_heads"])
      for (const statement of [`DELETE FROM ${table}`, `TRUNCATE ${table}`])
        await expect(sql.raw(statement).execute(test.ledger.db)).rejects.toThrow("append-only");
    await expect(sql`UPDATE audit SET actor = 'x'`.execute(test.ledger.db)).rejects.toThrow("append-only");
  });
});

describe("invariant 15: audit verify names the row", () => {
  let head: AuditHead;
  beforeEach(async () => {
    head = (await sealer.runOnce()).head as AuditHead;
  });

  const cases: readonly (readonly [string, string, object])[] = [
    [
      "one flipped byte of the actor",
      "UPDATE audit SET actor = 'systen:test' WHERE id = 3",
      { fault: "changed", rowId: 3 },
    ],
    ["changed details", `UPDATE audit SET details = '{"n":4}' WHERE id = 3`, { fault: "changed", rowId: 3 }],
    [
      "one microsecond",
      "UPDATE audit SET at = at + interval '1 microsecond' WHERE id = 2",
      { fault: "changed", rowId: 2 },
    ],
    ["a deleted row", "DELETE FROM audit WHERE id = 4", { fault: "missing", rowId: 4 }],
    [
      "a deleted row with its seal",
      "DELETE FROM audit WHERE id = 4; DELETE FROM audit_seals WHERE audit_id = 4",
      { fault: "chain broken", rowId: 5 },
    ],
    [
      "the last row deleted with its seal",
      "DELETE FROM audit WHERE id = 5; DELETE FROM audit_seals WHERE audit_id = 5",
      { fault: "missing", rowId: 5 },
    ],
    ["a deleted seal", "DELETE FROM audit_seals WHERE audit_id = 2", { fault: "seal missing", rowId: 2 }],
    ["the last seal deleted", "DELETE FROM audit_seals WHERE audit_id = 5", { fault: "seal missing", rowId: 5 }],
    [
      "a changed hash",
      "UPDATE audit_seals SET hash = set_bit(hash, 0, 1 - get_bit(hash, 0)) WHERE audit_id = 1",
      { fault: "changed", rowId: 1 },
    ],
    [
      "a changed previous hash",
      "UPDATE audit_seals SET previous_hash = set_bit(previous_hash, 0, 1 - get_bit(previous_hash, 0)) WHERE audit_id = 3",
      { fault: "chain broken", rowId: 3 },
    ],
    [
      "a changed signature",
      "UPDATE audit_heads SET signature = set_bit(signature, 0, 1 - get_bit(signature, 0))",
      { fault: "head signature bad", rowId: 5 },
    ],
    [
      "a head with another time",
      "UPDATE audit_heads SET sealed_at = sealed_at - interval '1 day'",
      { fault: "head signature bad", rowId: 5 },
    ],
  ];
  for (const [name, statement, verdict] of cases)
    it(name, async () => {
      await tamper(statement);
      expect(await verify()).toMatchObject({ ok: false, ...verdict });
    });

  it("a row deleted with its seal, while a new row waits for its own", async () => {
    await recordEvent(test.ledger.db, event(6));
    await tamper("DELETE FROM audit WHERE id = 4; DELETE FROM audit_seals WHERE audit_id = 4");
    expect(await verify()).toMatchObject({ ok: false, fault: "chain broken", rowId: 5, position: 4 });
    await tamper("DELETE FROM audit WHERE id = 5; DELETE FROM audit_seals WHERE audit_id = 5");
    expect(await verify()).toMatchObject({ ok: false, fault: "missing", rowId: 5 });
  });

  it("a chain made shorter together with its heads, by an anchor", async () => {
    await tamper("DELETE FROM audit WHERE id > 3; DELETE FROM audit_seals WHERE position > 3; DELETE FROM audit_heads");
    expect(await verify()).toMatchObject({ ok: true, count: 3 });
    expect(await verify(head)).toMatchObject({ ok: false, fault: "shorter than anchor", rowId: 5, position: 5 });
  });

  it("a chain built anew over changed rows, by an anchor", async () => {
    await tamper("UPDATE audit SET actor = 'nobody' WHERE id = 1; DELETE FROM audit_seals; DELETE FROM audit_heads");
    await createSealer({ ledger: test.ledger, signingKey: key, headEveryMs: 0 }).runOnce();
    expect(await verify()).toMatchObject({ ok: true });
    expect(await verify(head)).toMatchObject({ ok: false, fault: "differs from anchor", position: 5 });
  });

  it("a head or an anchor of another key", async () => {
    const stranger = generateKeyPairSync("ed25519").publicKey;
    expect(await verifyAudit(test.ledger, stranger)).toMatchObject({ ok: false, fault: "head signature bad" });
    expect(await verify({ ...head, position: 4 })).toMatchObject({ ok: false, fault: "head signature bad" });
    expect(await verifyAudit(test.ledger, new Map([[key.id, key.publicKey]]), head)).toMatchObject({ ok: true });
  });
});
