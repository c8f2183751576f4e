import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { createCustodyPlaces, type CustodyPlaces } from "../ledger/custody-places.ts";
import { createCustodyRows } from "../ledger/custody-rows.ts";
import { Secret } from "../providers/contract/secret.ts";
import { revealField, type Value } from "../providers/contract/value.ts";
import { insertCredential } from "../test/harness/credential-row.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { memoryCustody, memoryStore, type MemoryStore } from "../test/harness/memory-custody.ts";
import { custodyKey, type Custody, type CustodyRef } from "./custody.ts";
import { createEmbeddedCustody } from "./embedded.ts";
import { createKeyRing } from "./key-file.ts";
import { routeCustody, type RoutedCustody } from "./route.ts";

let test: TestLedger;
let credential: string;
let serial = 0;
const keys = createKeyRing([{ id: "key_test", key: createSecretKey(randomBytes(32)) }]);
const places = ["embedded", "far", "near"] as const;
type Place = (typeof places)[number];
type At = (moment: string) => void | Promise<void>;

beforeAll(async () => {
  test = await withLedger();
  credential = await insertCredential(test.ledger);
});

const newValue = (): Value => ({ username: "app_a", password: new Secret(randomBytes(12).toString("hex")) });
const textOf = (value: Value | undefined) => (value === undefined ? undefined : revealField(value, "password"));
const freshRef = (): CustodyRef => ({
  instance: "ins_test",
  credential,
  version: (serial += 1),
  row: `ver_${serial}`,
  purpose: "version",
  pool: "default",
});

interface Scene {
  readonly far: MemoryStore;
  readonly near: MemoryStore;
}

/** Calls `at` before and after every call, as a process that can die at each of them. */
function troubled<T extends object>(name: string, parts: T, at: At): T {
  return Object.fromEntries(
    Object.entries(parts).map(([call, work]) => [
      call,
      async (...given: unknown[]) => {
        await at(`before ${name}.${call}`);
        const answer: unknown = await (work as (...all: unknown[]) => unknown)(...given);
        await at(`after ${name}.${call}`);
        return answer;
      },
    ]),
  ) as T;
}

/** A process over the same stores. */
function process({ far, near }: Scene, at: At = () => undefined): RoutedCustody {
  const embedded = createEmbeddedCustody({ rows: createCustodyRows(test.ledger.db), keys });
  const book: CustodyPlaces = createCustodyPlaces(test.ledger.db);
  const each = (name: string, custody: Custody) => troubled(name, custody, at);
  const others = new Map([
    ["far", each("far", memoryCustody(far))],
    ["near", each("near", memoryCustody(near))],
  ]);
  return routeCustody({ embedded: each("embedded", embedded), others, book: troubled("book", book, at) });
}

const newScene = (): Scene => ({ far: memoryStore(), near: memoryStore() });

/** Looks behind every custody: which places have something for the ref. */
async function whereIs({ far, near }: Scene, ref: CustodyRef): Promise<readonly Place[]> {
  const key = custodyKey(ref);
  const { rows } = await sql`SELECT FROM custody_values WHERE key = ${key}`.execute(test.ledger.db);
  const found = { embedded: rows.length > 0, far: far.held.has(key), near: near.held.has(key) };
  return places.filter((place) => found[place]);
}

async function putIn(scene: Scene, ref: CustodyRef, place: Place, value: Value): Promise<void> {
  await sql`UPDATE credentials SET custody = ${place} WHERE id = ${credential}`.execute(test.ledger.db);
  await process(scene).putIfAbsent(ref, value);
}

const audited = async ({ version }: CustodyRef) => {
  const { rows } = await sql<{ told: string }>`
    SELECT (details ->> 'from') || ' to ' || (details ->> 'to') AS told FROM audit
    WHERE action = 'value.moved' AND details ->> 'version' = ${`${version}`} ORDER BY id`.execute(test.ledger.db);
  return rows.map(({ told }) => told);
};

const moveIn = async (custody: RoutedCustody, ref: CustodyRef, to: Place, hasValue = true) =>
  custody.move({ ref, to, actor: "tok_test", hasValue }, async (_, work) => work());

class DeathError extends Error {}

/** Dies at the moment of that number, from 1. */
function diesAt(count: number, each: At = () => undefined): { readonly at: At; seen(): number } {
  let moments = 0;
  return {
    async at(moment) {
      await each(moment);
      if ((moments += 1) === count) throw new DeathError(moment);
    },
    seen: () => moments,
  };
}

const ways: readonly (readonly [from: Place, to: Place])[] = [
  ["embedded", "far"],
  ["far", "near"],
  ["far", "embedded"],
];

describe.each(ways)("a value that is moved from %s to %s", (from, to) => {
  it("lies there alone, and the audit trail tells it once", async () => {
    const [scene, ref, value] = [newScene(), freshRef(), newValue()];
    await putIn(scene, ref, from, value);
    await moveIn(process(scene), ref, to);
    await moveIn(process(scene), ref, to);
    expect([await whereIs(scene, ref), await audited(ref)]).toEqual([[to], [`${from} to ${to}`]]);
    expect(await process(scene).get(ref)).toEqual(value);
  });

  it("can be read at every moment", async () => {
    const [scene, ref, value] = [newScene(), freshRef(), newValue()];
    await putIn(scene, ref, from, value);
    let moments = 0;
    const look: At = async (moment) => {
      moments += 1;
      assert.equal(textOf(await process(scene).get(ref)), textOf(value), moment);
    };
    await moveIn(process(scene, look), ref, to);
    expect(moments).toBe(12);
  });

  it("is never lost by a process that dies at any call, and a repetition ends the move", async () => {
    const whole = diesAt(0);
    const [first, one] = [newScene(), freshRef()];
    await putIn(first, one, from, newValue());
    await moveIn(process(first, whole.at), one, to);
    for (let moment = 1; moment <= whole.seen(); moment += 1) {
      const [scene, ref, value] = [newScene(), freshRef(), newValue()];
      await putIn(scene, ref, from, value);
      await expect(moveIn(process(scene, diesAt(moment).at), ref, to)).rejects.toBeInstanceOf(DeathError);
      expect(await process(scene).get(ref)).toEqual(value);
      // A step that comes again puts what it thinks is new, and gets what is there.
      expect(await process(scene).putIfAbsent(ref, newValue())).toEqual(value);
      await moveIn(process(scene), ref, to);
      expect(await process(scene).get(ref)).toEqual(value);
      expect([moment, await whereIs(scene, ref), await audited(ref)]).toEqual([moment, [to], [`${from} to ${to}`]]);
    }
  });

  it("lies in one place at the end when a move that died is taken back, or goes to a third place", async () => {
    const whole = diesAt(0);
    const [first, one] = [newScene(), freshRef()];
    await putIn(first, one, from, newValue());
    await moveIn(process(first, whole.at), one, to);
    const third = places.find((place) => place !== from && place !== to) ?? from;
    for (const next of [from, third])
      for (let moment = 1; moment <= whole.seen(); moment += 1) {
        const [scene, ref, value] = [newScene(), freshRef(), newValue()];
        await putIn(scene, ref, from, value);
        await expect(moveIn(process(scene, diesAt(moment).at), ref, to)).rejects.toBeInstanceOf(DeathError);
        await moveIn(process(scene), ref, next);
        // Taken back before it had gone over, it has never left: what was begun is cleaned up by the next move or forget.
        await moveIn(process(scene), ref, next);
        expect(await process(scene).get(ref)).toEqual(value);
        expect([moment, await whereIs(scene, ref)]).toEqual([moment, [next]]);
      }
  });

  it("is forgotten in every place, at whatever moment the move died", async () => {
    for (let moment = 1; moment <= 16; moment += 1) {
      const [scene, ref] = [newScene(), freshRef()];
      await putIn(scene, ref, from, newValue());
      await moveIn(process(scene, diesAt(moment).at), ref, to).catch(() => undefined);
      await process(scene).forget(ref);
      expect([moment, await whereIs(scene, ref), await process(scene).get(ref)]).toEqual([moment, [], undefined]);
    }
  });
});

describe("a move", () => {
  it("stops before another value that lies where it goes, and leaves both as they are", async () => {
    const [scene, ref, value, stranger] = [newScene(), freshRef(), newValue(), newValue()];
    await putIn(scene, ref, "far", value);
    await memoryCustody(scene.near).putIfAbsent(ref, stranger);
    await expect(moveIn(process(scene), ref, "near")).rejects.toMatchObject({
      code: "move_refused",
      detail: expect.stringContaining("Another value lies in near"),
    });
    expect(await process(scene).get(ref)).toEqual(value);
    await process(scene).forget(ref);
    expect(await memoryCustody(scene.near).get(ref)).toEqual(stranger);
  });

  it("finds a value missing that must be there, and points nowhere else", async () => {
    const [scene, ref, value] = [newScene(), freshRef(), newValue()];
    await putIn(scene, ref, "far", value);
    // As of another mount, where nothing of the kind lies.
    const elsewhere = { far: memoryStore(), near: scene.near };
    await expect(moveIn(process(elsewhere), ref, "near")).rejects.toMatchObject({
      name: "OperatorNeededError",
      code: "custody_missing",
      detail: expect.stringContaining("is not in far"),
    });
    expect([await process(scene).get(ref), await audited(ref)]).toEqual([value, []]);
    await moveIn(process(scene), ref, "near");
    expect([await whereIs(scene, ref), await process(scene).get(ref)]).toEqual([["near"], value]);
  });

  it("of a version that needs no value changes only where the next one goes, and tells nothing", async () => {
    const [scene, ref, value] = [newScene(), freshRef(), newValue()];
    await sql`UPDATE credentials SET custody = 'embedded' WHERE id = ${credential}`.execute(test.ledger.db);
    await moveIn(process(scene), ref, "far", false);
    await process(scene).putIfAbsent(ref, value);
    expect([await whereIs(scene, ref), await audited(ref)]).toEqual([["far"], []]);
  });

  it("that wakes up after others have moved the value on and back takes nothing away", async () => {
    let ran = 0;
    for (let moment = 1; moment <= 12; moment += 1) {
      const [scene, ref, value] = [newScene(), freshRef(), newValue()];
      await putIn(scene, ref, "far", value);
      const asleep = Promise.withResolvers<undefined>();
      const isThere = Promise.withResolvers<undefined>();
      let moments = 0;
      const sleep: At = async (at) => {
        // While it forgets it holds the row: nobody comes between.
        if ((moments += 1) !== moment || at.endsWith("far.forget")) return;
        isThere.resolve(undefined);
        await asleep.promise;
      };
      const late = moveIn(process(scene, sleep), ref, "near").catch((error: unknown) => error);
      await Promise.race([isThere.promise, late]);
      ran += moments >= moment ? 1 : 0;
      await moveIn(process(scene), ref, "near");
      await moveIn(process(scene), ref, "far");
      asleep.resolve(undefined);
      await late;
      expect([moment, textOf(await process(scene).get(ref))]).toEqual([moment, textOf(value)]);
      await moveIn(process(scene), ref, "far");
      expect([moment, (await whereIs(scene, ref)).length]).toEqual([moment, 1]);
    }
    expect(ran).toBe(12);
  });
});
