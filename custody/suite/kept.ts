import assert from "node:assert/strict";
import { Secret } from "../../providers/contract/secret.ts";
import type { Value } from "../../providers/contract/value.ts";
import { passwordOf, value, type CustodyClause } from "./world.ts";

/** A value is what it was, for every process, until it is forgotten. */
export const keptClauses: readonly CustodyClause[] = [
  {
    name: "answers undefined for what was never put",
    async check({ custody, freshRef }) {
      assert.equal(await custody.get(freshRef()), undefined);
    },
  },
  {
    name: "gives back what was put, to another process too",
    async check({ custody, other, freshRef }) {
      const ref = freshRef();
      assert.equal(passwordOf(await custody.putIfAbsent(ref, value("first-password"))), "first-password");
      assert.equal(passwordOf(await other.get(ref)), "first-password");
    },
  },
  {
    name: "keeps which fields are secret",
    async check({ custody, freshRef }) {
      const ref = freshRef();
      await custody.putIfAbsent(ref, value("first-password"));
      const found = await custody.get(ref);
      assert.equal(found?.["username"], "app_a");
      assert.ok(found?.["password"] instanceof Secret);
      assert.deepEqual(Object.keys(found), ["username", "password"]);
    },
  },
  {
    name: "keeps every character of a value",
    async check({ custody, freshRef }) {
      const ref = freshRef();
      const text = `-----BEGIN X-----\nYQ==\n-----END X-----\n"\\ é €𝄞 ${"x".repeat(16_000)}`;
      await custody.putIfAbsent(ref, value(text));
      assert.equal(passwordOf(await custody.get(ref)), text);
    },
  },
  {
    name: "answers a second put with the first value",
    async check({ custody, other, freshRef }) {
      const ref = freshRef();
      await custody.putIfAbsent(ref, value("first-password"));
      assert.equal(passwordOf(await other.putIfAbsent(ref, value("second-password"))), "first-password");
      assert.equal(passwordOf(await custody.get(ref)), "first-password");
    },
  },
  {
    name: "lets one of many simultaneous puts win, and tells it to all",
    async check({ custody, other, freshRef }) {
      const ref = freshRef();
      const puts = Array.from({ length: 8 }, (_, n) =>
        (n % 2 === 0 ? custody : other).putIfAbsent(ref, value(`password-${n}`)),
      );
      const winners = new Set((await Promise.all(puts)).map(passwordOf));
      assert.equal(winners.size, 1);
      assert.deepEqual([...winners], [passwordOf(await custody.get(ref))]);
    },
  },
  {
    name: "keeps versions, purposes and credentials apart",
    async check({ custody, freshRef }) {
      const ref = freshRef();
      const refs = [ref, { ...ref, version: ref.version + 1 }, { ...ref, purpose: "connection" as const }, freshRef()];
      for (const [n, each] of refs.entries()) await custody.putIfAbsent(each, value(`password-${n}`));
      for (const [n, each] of refs.entries()) assert.equal(passwordOf(await custody.get(each)), `password-${n}`);
    },
  },
  {
    name: "forgets, and forgets again without complaint",
    async check({ custody, other, freshRef }) {
      const ref = freshRef();
      await custody.putIfAbsent(ref, value("first-password"));
      await custody.forget(ref);
      await other.forget(ref);
      assert.equal(await other.get(ref), undefined);
      assert.equal(passwordOf(await custody.putIfAbsent(ref, value("second-password"))), "second-password");
    },
  },
  {
    name: "forgets for every process, also for one that has read it",
    async check({ custody, other, freshRef }) {
      const ref = freshRef();
      await custody.putIfAbsent(ref, value("first-password"));
      assert.equal(passwordOf(await other.get(ref)), "first-password");
      assert.equal(passwordOf(await custody.get(ref)), "first-password");
      await custody.forget(ref);
      for (const each of [custody, other]) assert.equal(await each.get(ref), undefined);
      assert.equal(passwordOf(await other.putIfAbsent(ref, value("second-password"))), "second-password");
      assert.equal(passwordOf(await custody.get(ref)), "second-password");
    },
  },
  {
    name: "does the same for many, in the order asked, where it can",
    async check({ custody, freshRef }) {
      if (!custody.getMany || !custody.putManyIfAbsent || !custody.forgetMany) return;
      const [a, b, absent] = [freshRef(), freshRef(), freshRef()];
      await custody.putIfAbsent(b, value("taken-before"));
      const put = await custody.putManyIfAbsent([a, b].map((ref, n) => ({ ref, value: value(`password-${n}`) })));
      assert.deepEqual(
        put.map((answer) => passwordOf(answer as Value)),
        ["password-0", "taken-before"],
      );
      const got = await custody.getMany([b, absent, a]);
      assert.deepEqual(
        got.map((answer) => passwordOf(answer as Value)),
        ["taken-before", undefined, "password-0"],
      );
      await custody.forgetMany([a, b]);
      assert.deepEqual(await custody.getMany([a, b]), [undefined, undefined]);
    },
  },
];
