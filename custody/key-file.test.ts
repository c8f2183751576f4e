import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Secret } from "../providers/contract/secret.ts";
import { createFingerprints } from "./fingerprint.ts";
import { addKey, openKeyFile, useNewestKey } from "./key-file.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-keys-"));
  path = join(folder, "custody.key");
});
afterEach(() => rm(folder, { recursive: true }));

it("creates a file that only its owner can read, and opens the same key again", async () => {
  const ring = await openKeyFile(path, { create: true });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const again = await openKeyFile(path, { create: false });
  expect(again.newest.id).toBe(ring.newest.id);
  expect(again.newest.key.equals(ring.newest.key)).toBe(true);
});

it("gives one key to all who create at once, and leaves no draft behind", async () => {
  const rings = await Promise.all(Array.from({ length: 8 }, () => openKeyFile(path, { create: true })));
  expect(new Set(rings.map((ring) => ring.newest.id)).size).toBe(1);
  expect(await readdir(folder)).toEqual(["custody.key"]);
});

it("does not make a key where one was lost", async () => {
  await expect(openKeyFile(path, { create: false })).rejects.toMatchObject({ code: "custody_key_missing" });
});

for (const mode of [0o640, 0o604, 0o620])
  it(`refuses mode ${mode.toString(8)}`, async () => {
    await openKeyFile(path, { create: true });
    await chmod(path, mode);
    await expect(openKeyFile(path, { create: true })).rejects.toMatchObject({
      detail: expect.stringContaining("chmod 600"),
    });
  });

it("refuses a link, and a file that is something else, without showing its content", async () => {
  await openKeyFile(path, { create: true });
  await symlink(path, join(folder, "link"));
  await expect(openKeyFile(join(folder, "link"), { create: false })).rejects.toMatchObject({
    detail: expect.stringContaining("symbolic link"),
  });
  await writeFile(join(folder, "other"), "canary-text", { mode: 0o600 });
  const error: unknown = await openKeyFile(join(folder, "other"), { create: true }).catch((caught: unknown) => caught);
  expect(String(error)).toContain("not a key file");
  expect(String(error)).not.toContain("canary");
});

it("uses an added key for writing only once it was told to", async () => {
  const before = await openKeyFile(path, { create: true });
  const added = await addKey(path);
  const between = await openKeyFile(path, { create: false });
  expect(between.newest.id).toBe(before.newest.id);
  expect(between.find(added)).toBeDefined();
  await useNewestKey(path);
  const after = await openKeyFile(path, { create: false });
  expect(after.newest.id).toBe(added);
  expect(after.find(before.newest.id)).toBeDefined();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it("fingerprints are equal for one secret under one key, and say nothing under a lost key", async () => {
  const own = createFingerprints(await openKeyFile(path, { create: true }));
  const other = createFingerprints(await openKeyFile(join(folder, "b"), { create: true }));
  const print = own.of(new Secret("some-password"));
  expect(print).not.toContain("some-password");
  expect(own.isOf(new Secret("some-password"), print)).toBe(true);
  expect(own.isOf(new Secret("some-passwords"), print)).toBe(false);
  expect(other.isOf(new Secret("some-password"), print)).toBeUndefined();
});

it("a secret is recognised by a fingerprint under any key of the file, in use or not yet", async () => {
  const before = createFingerprints(await openKeyFile(path, { create: true }));
  const secret = new Secret("some-password");
  const former = before.of(secret);
  await addKey(path);
  const both = createFingerprints(await openKeyFile(path, { create: false }));
  expect(both.of(secret)).toBe(former);
  await useNewestKey(path);
  const after = createFingerprints(await openKeyFile(path, { create: false }));
  expect(after.every(secret)).toEqual([former, after.of(secret)]);
  expect(both.every(secret)).toEqual(after.every(secret));
  expect(after.every(secret).map((one) => one.split(":")[0])).toEqual(after.keyIds);
});
