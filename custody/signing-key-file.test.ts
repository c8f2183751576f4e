import { sign, verify } from "node:crypto";
import { chmod, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSigningKeys } from "./signing-key-file.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-sign-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the signing key file", () => {
  it("is made once, 0600, and all who race for it get the same key", async () => {
    const path = join(folder, "one.json");
    const all = await Promise.all([1, 2, 3, 4].map(() => openSigningKeys(path, { create: true })));
    expect(new Set(all.map(({ signing }) => signing.id)).size).toBe(1);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("signs what its public key verifies", async () => {
    const { signing, publicKeys } = await openSigningKeys(join(folder, "two.json"), { create: true });
    const key = publicKeys.get(signing.id);
    const signature = sign(null, Buffer.from("head"), signing.privateKey);
    expect(key !== undefined && verify(null, Buffer.from("head"), key, signature)).toBe(true);
  });

  it("is not made anew where it has to be there already", async () => {
    await expect(openSigningKeys(join(folder, "gone.json"), { create: false })).rejects.toThrow("Restore it");
  });

  it("is refused when others can read it, when it is a link and when it is something else", async () => {
    const open = join(folder, "open.json");
    await openSigningKeys(open, { create: true });
    await chmod(open, 0o644);
    await expect(openSigningKeys(open, { create: true })).rejects.toThrow("chmod 600");
    const other = join(folder, "other.json");
    await writeFile(other, "{}", { mode: 0o600 });
    await expect(openSigningKeys(other, { create: true })).rejects.toThrow("is not a signing key file");
    const linked = join(folder, "linked.json");
    await symlink(other, linked);
    await expect(openSigningKeys(linked, { create: true })).rejects.toThrow("no link");
  });
});
