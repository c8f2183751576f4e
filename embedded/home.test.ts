import { chmod, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile, chown } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HomeInUseError, openHome, ownHome, removeHome, whoOwns } from "./home.ts";
import { tryLock } from "./owner-lock.ts";

let root: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "rekey-home-")));
});

afterEach(() => rm(root, { recursive: true, force: true }));

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test("a home is its owner's alone, keys too", async () => {
  const home = await openHome(join(root, "new", "home"));
  for (const folder of [home.folder, home.keys.folder, home.postgres, home.temporal, home.logs])
    expect(await modeOf(folder), folder).toBe(0o700);
  expect(dirname(home.keys.custody)).toBe(home.keys.folder);
  expect(dirname(home.token)).toBe(home.folder);
});

test("a home that others could enter is closed to them", async () => {
  await mkdir(join(root, "home", "keys"), { recursive: true });
  await chmod(join(root, "home"), 0o777);
  await chmod(join(root, "home", "keys"), 0o755);
  const home = await openHome(join(root, "home"));
  expect(await modeOf(home.folder)).toBe(0o700);
  expect(await modeOf(home.keys.folder)).toBe(0o700);
});

test("another user's home is refused, also to root", async () => {
  const isRoot = process.getuid?.() === 0;
  await mkdir(join(root, "home"));
  if (isRoot) await chown(join(root, "home"), 65_534, 65_534);
  await expect(openHome(isRoot ? join(root, "home") : "/")).rejects.toThrow(/belongs to another user/);
});

test("a place that cannot be a folder is named with what to do", async () => {
  await writeFile(join(root, "file"), "");
  await expect(openHome(join(root, "file", "home"))).rejects.toThrow(/cannot be made \(ENOTDIR\)\. Choose another/);
});

test("a second owner is told who runs the home and, once known, at which address", async () => {
  const home = await openHome(root);
  const owned = await ownHome(home);
  const first = await ownHome(home).catch((error: unknown) => error);
  expect(first).toBeInstanceOf(HomeInUseError);
  expect((first as HomeInUseError).owner).toMatchObject({ pid: process.pid });
  await owned.announce("http://127.0.0.1:7390");
  const second = await ownHome(home).catch((error: unknown) => error);
  expect(second).toMatchObject({
    message: expect.stringMatching(`pid ${process.pid} since .*, at http://127.0.0.1:7390\\)\\.$`),
    code: "home_in_use",
    next: expect.stringMatching(/^Use that one, .*--home/),
  });
  expect(await whoOwns(home)).toMatchObject({ address: "http://127.0.0.1:7390" });
  await owned.release();
  await owned.release();
  expect(await whoOwns(home)).toBeUndefined();
  await (await ownHome(home)).release();
});

test("what a dead owner left behind names nobody and stops nobody", async () => {
  const home = await openHome(root);
  await writeFile(home.record, JSON.stringify({ pid: 1, startedAt: "2026-01-01T00:00:00Z", address: "http://gone" }));
  await writeFile(home.lock, "");
  expect(await whoOwns(home)).toBeUndefined();
  const owned = await ownHome(home);
  expect(await whoOwns(home)).toMatchObject({ pid: process.pid });
  expect(await readFile(home.record, "utf8")).not.toContain("gone");
  await owned.release();
});

test("who only asks does not keep an owner out", async () => {
  const home = await openHome(root);
  const asking = tryLock(home.lock);
  const owning = ownHome(home);
  asking?.release();
  await (await owning).release();
});

test("a torn record still says that the home is taken", async () => {
  const home = await openHome(root);
  const owned = await ownHome(home);
  await writeFile(home.record, '{"pid": 1');
  await expect(ownHome(home)).rejects.toThrow(/already runs in .*\(another process\)/);
  await owned.release();
});

test("a home is removed with what its database keeps elsewhere, and not while it runs", async () => {
  const home = await openHome(join(root, "home"));
  const elsewhere = join(root, "elsewhere");
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, "origin"), home.postgres);
  await writeFile(join(home.postgres, "moved-to"), elsewhere);
  const owned = await ownHome(home);
  await expect(removeHome(home)).rejects.toBeInstanceOf(HomeInUseError);
  await owned.release();
  await removeHome(home);
  await expect(stat(home.folder)).rejects.toThrow("ENOENT");
  await expect(stat(elsewhere)).rejects.toThrow("ENOENT");
});

test("a folder elsewhere that names another origin is left alone", async () => {
  const home = await openHome(join(root, "home"));
  const elsewhere = join(root, "of-another");
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, "origin"), "/another/home/postgres");
  await writeFile(join(home.postgres, "moved-to"), elsewhere);
  await removeHome(home);
  expect((await stat(elsewhere)).isDirectory()).toBe(true);
});
