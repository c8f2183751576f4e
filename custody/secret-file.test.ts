import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSecretFile } from "./secret-file.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-secret-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileWith(text: string): Promise<string> {
  const path = join(folder, randomBytes(6).toString("hex"));
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

describe("a file with the secret of a custody place", () => {
  it("gives what it holds without the line end", async () => {
    const token = randomBytes(12).toString("hex");
    expect((await readSecretFile(await fileWith(`${token}\n`))).reveal()).toBe(token);
  });

  it("is refused when others can read it, when it is a link, a folder, empty or not there", async () => {
    const open = await fileWith("t0ken");
    await chmod(open, 0o640);
    await expect(readSecretFile(open)).rejects.toThrow(`chmod 600 ${open}`);
    const linked = join(folder, "linked");
    await symlink(await fileWith("t0ken"), linked);
    await expect(readSecretFile(linked)).rejects.toThrow("no link");
    await expect(readSecretFile(folder)).rejects.toMatchObject({ code: "setting_invalid" });
    await expect(readSecretFile(await fileWith(" \n"))).rejects.toThrow("is empty");
    await expect(readSecretFile(join(folder, "gone"))).rejects.toThrow("cannot be opened");
  });
});
