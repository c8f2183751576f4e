import { createSecretKey, randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { TransientError } from "../domain/errors.ts";
import { createCustodyRows, type CustodyRows } from "../ledger/custody-rows.ts";
import { Secret } from "../providers/contract/secret.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { custodyKey, type CustodyRef } from "./custody.ts";
import { createEmbeddedCustody } from "./embedded.ts";
import { createKeyRing, type NamedKey } from "./key-file.ts";
import { custodyClauses } from "./suite.ts";

const newKey = (id: string): NamedKey => ({ id, key: createSecretKey(randomBytes(32)) });
const [first, second] = [newKey("key_1"), newKey("key_2")];
let test: TestLedger;
let serial = 0;
const freshRef = (): CustodyRef => ({
  instance: "ins_test",
  credential: `cred_${(serial += 1)}`,
  version: 1,
  row: `ver_${serial}`,
  purpose: "version",
  pool: "default",
});
const custodyWith = (...keys: NamedKey[]) =>
  createEmbeddedCustody({ rows: createCustodyRows(test.ledger.db), keys: createKeyRing(keys) });
const value = { username: "app", password: new Secret("canary-5up3r-secret") };

/** Rows whose next write loses its answer, or its way there. */
function withTrouble(rows: CustodyRows) {
  let lost: "answer" | "write" | undefined;
  const failure = () => new TransientError("ledger_unreachable", "The answer was lost.");
  return {
    losesNextAnswer: () => void (lost = "answer"),
    losesNextWrite: () => void (lost = "write"),
    rows: {
      ...rows,
      async insertAbsent(given: Parameters<CustodyRows["insertAbsent"]>[0]) {
        const now = lost;
        lost = undefined;
        if (now === "write") throw failure();
        const inserted = await rows.insertAbsent(given);
        if (now === "answer") throw failure();
        return inserted;
      },
    },
  };
}

beforeAll(async () => {
  test = await withLedger();
});

describe("embedded custody", () => {
  for (const clause of custodyClauses)
    it(clause.name, async () => {
      const troubled = withTrouble(createCustodyRows(test.ledger.db));
      const custody = createEmbeddedCustody({ rows: troubled.rows, keys: createKeyRing([first]) });
      await clause.check({ custody, other: custodyWith(first), freshRef, ...troubled });
    });

  it("opens old values with the old key and writes new ones with the newest", async () => {
    const [old, young] = [freshRef(), freshRef()];
    await custodyWith(first).putIfAbsent(old, value);
    const both = custodyWith(first, second);
    await both.putIfAbsent(young, value);
    expect(await both.get(old)).toBeDefined();
    expect(await custodyWith(second).get(young)).toBeDefined();
    expect((await createCustodyRows(test.ledger.db).countByKeyId()).get("key_2")).toBe(1);
  });

  it("names the key it lacks", async () => {
    const ref = freshRef();
    await custodyWith(first).putIfAbsent(ref, value);
    await expect(custodyWith(second).get(ref)).rejects.toMatchObject({
      code: "custody_key_missing",
      detail: expect.stringContaining("key_1"),
    });
  });

  it("names the key that is another one than it was", async () => {
    const ref = freshRef();
    await custodyWith(first).putIfAbsent(ref, value);
    await expect(custodyWith(newKey("key_1")).get(ref)).rejects.toMatchObject({
      code: "custody_unreadable",
      detail: expect.stringMatching(/key_1 .* not the one that sealed/),
    });
  });

  it("says so when two rows were swapped", async () => {
    const [a, b] = [freshRef(), freshRef()];
    const custody = custodyWith(first);
    await custody.putManyIfAbsent([a, b].map((ref) => ({ ref, value })));
    await sql`UPDATE custody_values SET key = 'x' WHERE key = ${custodyKey(a)}`.execute(test.ledger.db);
    await sql`UPDATE custody_values SET key = ${custodyKey(a)} WHERE key = ${custodyKey(b)}`.execute(test.ledger.db);
    await expect(custody.get(a)).rejects.toMatchObject({
      code: "custody_unreadable",
      detail: expect.stringContaining("swapped"),
    });
  });

  it("says that a connection's settings changed when its secret does not open", async () => {
    const ref = { ...freshRef(), binding: "digest-1" };
    const custody = custodyWith(first);
    await custody.putIfAbsent(ref, value);
    await expect(custody.get({ ...ref, binding: "digest-2" })).rejects.toMatchObject({
      code: "custody_unreadable",
      detail: expect.stringContaining("settings changed"),
    });
  });

  for (const column of ["wrapped_key", "nonce", "wrap_nonce", "ciphertext", "key_check"])
    it(`notices one flipped bit in ${column}`, async () => {
      const ref = freshRef();
      const custody = custodyWith(first);
      await custody.putIfAbsent(ref, value);
      const name = sql.ref(column);
      await sql`UPDATE custody_values SET ${name} = set_bit(${name}, 3, 1 - get_bit(${name}, 3)) WHERE key = ${custodyKey(ref)}`.execute(
        test.ledger.db,
      );
      await expect(custody.get(ref)).rejects.toMatchObject({ code: "custody_unreadable" });
    });

  it("one unreadable row of many spoils only its own answer", async () => {
    const [good, bad] = [freshRef(), freshRef()];
    await custodyWith(first).putIfAbsent(good, value);
    await custodyWith(second).putIfAbsent(bad, value);
    const answers = await custodyWith(first).getMany([bad, good]);
    expect(answers[0]).toMatchObject({ code: "custody_key_missing" });
    expect(answers[1]).toMatchObject({ username: "app" });
  });

  it("invariant 6: leaves no secret byte in the row and never uses a nonce twice", async () => {
    const refs = [freshRef(), freshRef()];
    for (const ref of refs) await custodyWith(first).putIfAbsent(ref, value);
    const rows = [...(await createCustodyRows(test.ledger.db).find(refs.map(custodyKey))).values()];
    for (const row of rows) expect(row.ciphertext.includes("canary")).toBe(false);
    expect(new Set(rows.flatMap((row) => [row.nonce.toString("hex"), row.wrapNonce.toString("hex")])).size).toBe(4);
  });

  it("invariant 13: the ledger refuses a ciphertext that holds nothing", async () => {
    const ref = freshRef();
    await custodyWith(first).putIfAbsent(ref, value);
    await expect(
      sql`UPDATE custody_values SET ciphertext = left(encode(ciphertext, 'hex'), 16)::bytea WHERE key = ${custodyKey(ref)}`.execute(
        test.ledger.db,
      ),
    ).rejects.toThrow("ciphertext");
  });
});
