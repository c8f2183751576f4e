import { createSecretKey, randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { Secret } from "../providers/contract/secret.ts";
import type { Value } from "../providers/contract/value.ts";
import { insertCredential } from "../test/harness/credential-row.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import {
  memoryCustody,
  memoryKind,
  memoryStore,
  openMemoryCustody,
  type MemoryStores,
} from "../test/harness/memory-custody.ts";
import { custodyKey, type Custody, type CustodyRef } from "./custody.ts";
import { createKeyRing } from "./key-file.ts";
import { openCustody, type CustodyOptions } from "./open-custody.ts";
import type { RoutedCustody } from "./route.ts";

let test: TestLedger;
let credential: string;
const keys = createKeyRing([{ id: "key_test", key: createSecretKey(randomBytes(32)) }]);
const value = (): Value => ({ username: "app_a", password: new Secret(randomBytes(12).toString("hex")) });

const options = (places: CustodyOptions["places"]): CustodyOptions => ({
  places,
  ledger: test.ledger,
  keys,
  fetch: Object.assign(() => Promise.reject(new Error("nobody is asked")), { resolve: () => Promise.resolve([]) }),
  log: () => undefined,
});

const opened = (stores: MemoryStores): RoutedCustody => openMemoryCustody(test.ledger, keys, stores);

const refOf = (version: number): CustodyRef => ({
  instance: "ins_test",
  credential,
  version,
  row: `ver_${version}`,
  purpose: "version",
  pool: "default",
});

/** As a credential that says in which place its values go. */
async function newValuesGoTo(place: string): Promise<void> {
  await sql`UPDATE credentials SET custody = ${place} WHERE id = ${credential}`.execute(test.ledger.db);
}

const sealed = async (ref: CustodyRef) =>
  (await sql`SELECT FROM custody_values WHERE key = ${custodyKey(ref)}`.execute(test.ledger.db)).rows.length;

async function pointTo(ref: CustodyRef, place: string): Promise<void> {
  await sql`INSERT INTO custody_places (key, place) VALUES (${custodyKey(ref)}, ${place})
    ON CONFLICT (key) DO UPDATE SET place = excluded.place`.execute(test.ledger.db);
}

beforeAll(async () => {
  test = await withLedger();
  credential = await insertCredential(test.ledger);
});

describe("custody over several places", () => {
  it("puts a credential's values where the credential says, and finds them from every process", async () => {
    const far = memoryStore();
    const [ref, given] = [refOf(1), value()];
    await newValuesGoTo("far");
    await opened({ far }).putIfAbsent(ref, given);
    expect([far.held.size, await sealed(ref)]).toEqual([1, 0]);
    expect(await opened({ far }).get(ref)).toEqual(given);
    await opened({ far }).forget(ref);
    expect(far.held.size).toBe(0);
  });

  it("knows in the ledger where a value lies before it lies there", async () => {
    const ref = refOf(2);
    await newValuesGoTo("far");
    const far = memoryStore((moment) => {
      if (moment === "before put") throw new Error("the process died");
    });
    await expect(opened({ far }).putIfAbsent(ref, value())).rejects.toThrow("died");
    const { rows } = await sql<{ place: string }>`
      SELECT place FROM custody_places WHERE key = ${custodyKey(ref)}`.execute(test.ledger.db);
    expect(rows).toEqual([{ place: "far" }]);
  });

  it("finds what was sealed in the ledger before there were places, wherever new values go", async () => {
    const [ref, given] = [refOf(3), value()];
    await newValuesGoTo("embedded");
    await opened({}).putIfAbsent(ref, given);
    await newValuesGoTo("far");
    const far = memoryStore();
    expect(await opened({ far }).get(ref)).toEqual(given);
    expect(await opened({ far }).putIfAbsent(ref, value())).toEqual(given);
    expect(far.held.size).toBe(0);
  });

  it("keeps secrets of connections and checks in the ledger", async () => {
    await newValuesGoTo("far");
    const far = memoryStore();
    for (const purpose of ["connection", "check"] as const) {
      const [ref, given] = [{ ...refOf(4), purpose }, value()];
      await opened({ far }).putIfAbsent(ref, given);
      expect([far.held.size, await sealed(ref), await opened({ far }).get(ref)]).toEqual([0, 1, given]);
      await opened({ far }).forget(ref);
      expect(await sealed(ref)).toBe(0);
    }
  });

  it("says what to do about a place that the settings do not name any more, and never that there is nothing", async () => {
    const ref = refOf(5);
    await newValuesGoTo("far");
    const far = memoryStore();
    await opened({ far }).putIfAbsent(ref, value());
    for (const ask of [
      async (custody: Custody) => custody.get(ref),
      async (custody: Custody) => custody.forget(ref),
      async (custody: Custody) => custody.putIfAbsent(ref, value()),
    ])
      await expect(ask(opened({}))).rejects.toMatchObject({
        code: "custody_place_unknown",
        detail: expect.stringMatching(/far.*REKEY_CUSTODIES_FILE/),
      });
  });

  it("looks again when a value was moved while it was looked for", async () => {
    const [ref, given] = [refOf(6), value()];
    const near = memoryStore();
    const far = memoryStore();
    await pointTo(ref, "near");
    await memoryCustody(far).putIfAbsent(ref, given);
    const moved = pointTo.bind(undefined, ref, "far");
    let moves: Promise<void> | undefined;
    const slow: Custody = {
      ...memoryCustody(near),
      async get(asked) {
        await (moves ??= moved());
        return memoryCustody(near).get(asked);
      },
    };
    const kind = memoryKind((name) => (name === "near" ? slow : memoryCustody(far)));
    const places = { near: { kind: "memory", name: "near" }, far: { kind: "memory", name: "far" } };
    expect(await openCustody(options(places), { memory: kind }).get(ref)).toEqual(given);
  });

  it("takes back what it put where a value had been moved away from, and answers the one that counts", async () => {
    const [ref, given] = [refOf(7), value()];
    const far = memoryStore();
    await memoryCustody(far).putIfAbsent(ref, given);
    await pointTo(ref, "near");
    const near = memoryStore();
    const late: Custody = {
      ...memoryCustody(near),
      async putIfAbsent(asked, sent) {
        const answer = await memoryCustody(near).putIfAbsent(asked, sent);
        await pointTo(ref, "far");
        return answer;
      },
    };
    const kind = memoryKind((name) => (name === "near" ? late : memoryCustody(far)));
    const places = { near: { kind: "memory", name: "near" }, far: { kind: "memory", name: "far" } };
    expect(await openCustody(options(places), { memory: kind }).putIfAbsent(ref, value())).toEqual(given);
    expect(near.held.size).toBe(0);
  });
});

describe("the settings of places", () => {
  it.each([
    ["an unknown kind", { far: { kind: "vualt" } }, /"far".*does not know/],
    ["a setting that the kind lacks", { far: { kind: "memory", name: "far", color: "red" } }, /nobody knows/],
    ["a wrong setting, by its name", { far: { kind: "memory", name: 7 } }, /"far" is not valid at "name"/],
    ["the name of the place that is always there", { embedded: { kind: "memory", name: "x" } }, /always there/],
  ])("are refused for %s", (_, places, says) => {
    expect(() => openCustody(options(places), { memory: memoryKind(() => memoryCustody(memoryStore())) })).toThrow(
      says,
    );
  });
});
