import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { RekeyError, TransientError } from "../../domain/errors.ts";
import type { Value } from "../../providers/contract/value.ts";
import { passwordOf, use, value, type CustodyClause } from "./world.ts";

/** Forgotten while it was put, or to be asked again. */
const isGoneMeanwhile = (error: Error) =>
  error instanceof TransientError || (error instanceof RekeyError && error.code === "custody_missing");

/** Whatever is lost on the way, and whoever comes at the same moment. */
export const troubledClauses: readonly CustodyClause[] = [
  {
    name: "answers the first value when a put whose answer was lost is made again with another",
    needs: "losesNextAnswer",
    async check(world) {
      const { custody, other, freshRef } = world;
      const ref = freshRef();
      await use(world, "losesNextAnswer");
      const first: unknown = await custody.putIfAbsent(ref, value("first-password")).catch((error: unknown) => error);
      // It may have looked for itself what became of its write. It may not have stored nothing.
      if (!(first instanceof Error)) assert.equal(passwordOf(first as Value), "first-password");
      assert.equal(passwordOf(await custody.putIfAbsent(ref, value("second-password"))), "first-password");
      assert.equal(passwordOf(await other.get(ref)), "first-password");
    },
  },
  {
    name: "says so when a value was not stored, and takes the next one",
    needs: "losesNextWrite",
    async check(world) {
      const { custody, other, freshRef } = world;
      const ref = freshRef();
      await use(world, "losesNextWrite");
      const first: unknown = await custody.putIfAbsent(ref, value("first-password")).catch((error: unknown) => error);
      const kept = passwordOf(await other.get(ref));
      // Either it tried again by itself, and then the value is there, or it failed.
      if (!(first instanceof Error)) assert.equal(kept, "first-password");
      else assert.equal(kept, undefined);
      const winner = kept ?? "second-password";
      assert.equal(passwordOf(await other.putIfAbsent(ref, value("second-password"))), winner);
      assert.equal(passwordOf(await custody.get(ref)), winner);
    },
  },
  {
    name: "keeps all of a value or nothing of it when it is put and forgotten at the same moment",
    async check({ custody, other, freshRef }) {
      const whole = [["username", "app_a"] as const, ["password", "first-password"] as const];
      for (let round = 0; round < 16; round += 1) {
        const ref = freshRef();
        const [first, second] = round % 2 === 0 ? [custody, other] : [other, custody];
        const puts = [first, ...(round % 4 < 2 ? [] : [second])].map(async (each) =>
          each.putIfAbsent(ref, value("first-password")).catch((error: unknown) => error),
        );
        // A little later each time, so that it comes between different moments of the put.
        for (let turns = 0; turns < round; turns += 1) await nextTurn();
        await second.forget(ref);
        for (const answer of await Promise.all(puts))
          if (answer instanceof Error) assert.ok(isGoneMeanwhile(answer), `It threw ${answer.name}.`);
          else assert.equal(passwordOf(answer as Value), "first-password");
        const left = await Promise.all([custody, other].map(async (each) => each.get(ref)));
        assert.equal(passwordOf(left[0]), passwordOf(left[1]));
        if (left[0] !== undefined)
          assert.deepEqual(
            Object.entries(left[0]).map(([name, part]) => [name, typeof part === "string" ? part : part.reveal()]),
            whole,
          );
        await custody.forget(ref);
        assert.equal(await other.get(ref), undefined);
      }
    },
  },
];
