import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockWithin, tryLock } from "./owner-lock.ts";

let root: string;
let path: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "rekey-lock-"));
  path = join(root, "a lock?x=1");
});

afterEach(() => rm(root, { recursive: true, force: true }));

const inAnotherProcess = `import { tryLock } from ${JSON.stringify(join(import.meta.dirname, "owner-lock.ts"))};
  const held = tryLock(process.argv[1]);
  process.stdout.write(held === undefined ? "refused" : "held");
  if (held !== undefined) setInterval(() => {}, 1000);`;

async function otherTakes(): Promise<{ said: string; kill(): Promise<void> }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", inAnotherProcess, path]);
  const said = await new Promise<string>((resolve) =>
    child.stdout.once("data", (text: Buffer) => resolve(text.toString())),
  );
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    said,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test("one holds it, in this process and in any other, until it is released", async () => {
  const held = tryLock(path);
  expect(held).toBeDefined();
  expect(tryLock(path)).toBeUndefined();
  expect((await otherTakes()).said).toBe("refused");
  held?.release();
  held?.release();
  const again = tryLock(path);
  expect(again).toBeDefined();
  again?.release();
});

test("a killed owner has let go at once", async () => {
  const other = await otherTakes();
  expect(other.said).toBe("held");
  expect(tryLock(path)).toBeUndefined();
  await other.kill();
  const mine = tryLock(path);
  expect(mine).toBeDefined();
  mine?.release();
});

test("waiting ends with the lock, or with what to do", async () => {
  const held = tryLock(path);
  await expect(lockWithin(path, 60, "End the other one.")).rejects.toThrow("End the other one.");
  const waiting = lockWithin(path, 10_000, "too late");
  held?.release();
  (await waiting).release();
});

test("a place that cannot hold a lock is named, and never taken for held by another", async () => {
  await writeFile(join(root, "file"), "");
  expect(() => tryLock(join(root, "file", "lock"))).toThrow(join(root, "file", "lock"));
});
