import { readdir, stat } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Secret } from "../../contract/secret.ts";
import { nodeFileSystem, type FileSystem } from "./file-system.ts";
import { randomText, startTrial, type Trial } from "./trial.ts";

let trial: Trial;
const password = randomText();
const value = () => ({ password: new Secret(`rehearsal-${randomText()}`), username: "orders_b" });

beforeEach(async () => {
  trial = await startTrial(`# ours\nPASSWORD=${password}\nOTHER=1\n`, "app.env", 0o640);
});

afterEach(() => trial.end());

/** All that somebody who reads the file could notice. */
async function seen() {
  const { mtimeMs, ino, mode, uid, gid, ctimeMs } = await stat(trial.path);
  return { text: await trial.text(), mtimeMs, ctimeMs, ino, mode, uid, gid, beside: await readdir(trial.folder) };
}

test("it writes beside the file with its mode, reads back, removes, and leaves the file as it was", async () => {
  const before = await seen();
  const staged: { path: string; mode: number; text: string }[] = [];
  const fs: FileSystem = {
    ...nodeFileSystem,
    async stage(path, bytes, ownership) {
      staged.push({ path, mode: ownership.mode, text: bytes.toString() });
      await nodeFileSystem.stage(path, bytes, ownership);
    },
  };
  const session = await trial.open({ fs });
  const made = value();
  expect(await session.rehearse?.(made)).toBe(
    "A made-up value was written beside the file with mode 0640, read back, and removed.",
  );
  expect(await seen()).toEqual(before);
  expect(staged).toHaveLength(1);
  expect(staged[0]?.path.startsWith(`${trial.folder}/.app.env.rekey.`)).toBe(true);
  expect(staged[0]?.mode).toBe(0o640);
  expect(staged[0]?.text).toContain(made.password.reveal());
  expect(staged[0]?.text).not.toContain(password);
});

test("a file that is not there yet is rehearsed all the same, and still is not there", async () => {
  const empty = await startTrial(undefined);
  const session = await empty.open({ config: { mode: "0600" } });
  expect(await session.rehearse?.(value())).toContain("mode 0600");
  expect(await readdir(empty.folder)).toEqual([]);
  await empty.end();
});

test.each([
  ["a full disk", "ENOSPC", "target_full"],
  ["a folder that cannot be written", "EROFS", "target_read_only"],
])("%s is said as a delivery would say it, and nothing is left", async (_, errno, code) => {
  const before = await seen();
  const fs: FileSystem = {
    ...nodeFileSystem,
    async stage(path, bytes, ownership) {
      await nodeFileSystem.stage(path, bytes, ownership);
      throw Object.assign(new Error(errno), { code: errno });
    },
  };
  const session = await trial.open({ fs });
  await expect(session.rehearse?.(value())).rejects.toMatchObject({ code });
  expect(await seen()).toEqual(before);
});

test("a disk that gives back something else is found", async () => {
  const fs: FileSystem = {
    ...nodeFileSystem,
    async read(path) {
      const bytes = await nodeFileSystem.read(path);
      return path === trial.path ? bytes : bytes?.subarray(0, 20);
    },
  };
  const session = await trial.open({ fs });
  await expect(session.rehearse?.(value())).rejects.toMatchObject({ code: "target_unreachable" });
  expect(await trial.leftovers()).toEqual([]);
});

test("a rehearsal that was killed midway leaves what the next delivery takes away", async () => {
  const fs: FileSystem = { ...nodeFileSystem, unlink: async () => Promise.reject(new Error("killed")) };
  await (await trial.open({ fs })).rehearse?.(value()).catch(() => undefined);
  expect(await trial.leftovers()).toHaveLength(1);
  const session = await trial.open();
  await session.deliver({ version: 2, number: { epoch: 1, number: 1 }, value: value() });
  expect(await trial.leftovers()).toEqual([]);
});
