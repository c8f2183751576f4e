import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rekey-lock-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Counts up in a file as often as asked, each time under the lock; two inside at once lose a count. */
const program = `
import { readFile, writeFile } from "node:fs/promises";
import { withLock } from ${JSON.stringify(join(import.meta.dirname, "lock.mjs"))};
const [lock, counter, rounds] = process.argv.slice(1);
for (let round = 0; round < Number(rounds); round++)
  await withLock(lock, async () => {
    const before = Number(await readFile(counter, "utf8"));
    await new Promise(setImmediate);
    await writeFile(counter, String(before + 1));
  });
`;

const counting = (lock: string, counter: string, rounds: number) =>
  promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program, lock, counter, String(rounds)]);

test("of many at once one is inside", async () => {
  const counter = join(folder, "counter");
  await writeFile(counter, "0");
  const locks = join(folder, "locks");
  await Promise.all(Array.from({ length: 5 }, () => counting(join(locks, "it"), counter, 40)));
  expect(await readFile(counter, "utf8")).toBe("200");
  expect(await readdir(locks)).toEqual([]);
});

test("it never lies there unsigned: that would look like a dead one's", async () => {
  const counter = join(folder, "counter");
  await writeFile(counter, "0");
  const lock = join(folder, "locks", "it");
  const seen = new Map<string, number>();
  let isOver = false;
  const work = counting(lock, counter, 2000).finally(() => (isOver = true));
  while (!isOver) {
    try {
      const owner = readFileSync(join(lock, "owner"), "utf8");
      seen.set(owner, (seen.get(owner) ?? 0) + 1);
    } catch {
      // Nobody has it in this moment.
    }
    await new Promise(setImmediate);
  }
  await work;
  expect([...seen.keys()]).toEqual([expect.stringMatching(/^\d+ \w+$/)]);
});
