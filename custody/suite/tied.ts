import assert from "node:assert/strict";
import { inspect } from "node:util";
import { RekeyError } from "../../domain/errors.ts";
import type { Custody, CustodyRef } from "../custody.ts";
import { passwordOf, value, type CustodyClause, type CustodyWorld } from "./world.ts";

/** Each part of a ref that a value stays tied to, and what somebody else's ref has there. */
const otherwise = {
  instance: "ins_other",
  row: "row_other",
  pool: "other",
  binding: "digest-2",
} as const satisfies Partial<Record<keyof CustodyRef, string>>;

const secret = "first-password";
const sayable = ["custody_unreadable", "custody_missing"];

/** Whatever it answers or throws, it is not the value, nor does it hold a word of it. */
async function opensNothing(custody: Custody, ref: CustodyRef): Promise<void> {
  const outcome: unknown = await custody.get(ref).catch((error: unknown) => error);
  if (outcome === undefined) return;
  assert.ok(outcome instanceof RekeyError, "It was opened.");
  assert.ok(sayable.includes(outcome.code), `It said ${outcome.code}.`);
  assert.ok(!inspect(outcome, { depth: 5 }).includes(secret), "The error holds the secret.");
}

async function staysTied(world: CustodyWorld, ref: CustodyRef, foreign: CustodyRef): Promise<void> {
  await world.custody.putIfAbsent(ref, value(secret));
  for (const each of [world.custody, world.other]) {
    await opensNothing(each, foreign);
    assert.equal(passwordOf(await each.get(ref)), secret);
  }
}

async function answersNoStranger(world: CustodyWorld, ref: CustodyRef, foreign: CustodyRef): Promise<void> {
  const { custody, other } = world;
  await custody.putIfAbsent(ref, value(secret));
  const answer = await other.putIfAbsent(foreign, value("second-password")).catch((error: unknown) => error);
  if (answer instanceof Error) {
    assert.ok(answer instanceof RekeyError && sayable.includes(answer.code), "It threw something else.");
    assert.ok(!inspect(answer, { depth: 5 }).includes(secret), "The error holds the secret.");
  } else assert.notEqual(passwordOf(answer as Awaited<ReturnType<Custody["get"]>>), secret);
  assert.equal(passwordOf(await custody.get(ref)), secret);
}

const parts = Object.keys(otherwise) as readonly (keyof typeof otherwise)[];

/** A value opens only for what it was put for. */
export const tiedClauses: readonly CustodyClause[] = [
  ...parts.map((part): CustodyClause => ({
    name: `opens nothing under another ${part}`,
    async check(world) {
      const ref = { ...world.freshRef(), binding: "digest-1" };
      await staysTied(world, ref, { ...ref, [part]: otherwise[part] });
    },
  })),
  {
    name: "opens nothing with a binding that was put without one, and the other way round",
    async check(world) {
      const [bound, free] = [{ ...world.freshRef(), binding: "digest-1" }, world.freshRef()];
      const { binding: _, ...unbound } = bound;
      await staysTied(world, bound, unbound);
      await staysTied(world, free, { ...free, binding: "digest-1" });
    },
  },
  {
    name: "opens nothing under another credential",
    async check(world) {
      const ref = world.freshRef();
      await staysTied(world, ref, { ...ref, credential: world.freshRef().credential });
    },
  },
  {
    name: "answers nobody's put with a value that was put for another row or pool",
    async check(world) {
      for (const change of [{ row: otherwise.row }, { pool: otherwise.pool }]) {
        const ref = world.freshRef();
        await answersNoStranger(world, ref, { ...ref, ...change });
      }
    },
  },
  {
    name: "forgets what lies in the ref's place, even when it was put for another row",
    async check({ custody, other, freshRef }) {
      const ref = freshRef();
      await custody.putIfAbsent(ref, value(secret));
      const again = { ...ref, row: otherwise.row };
      await other.forget(again);
      assert.equal(passwordOf(await other.putIfAbsent(again, value("second-password"))), "second-password");
      assert.equal(passwordOf(await custody.get(again)), "second-password");
    },
  },
];
