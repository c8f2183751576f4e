import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Secret } from "../../contract/secret.ts";
import { file } from "./definition.ts";
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rekey-file-"));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));
it("smoke", async () => {
  const path = join(folder, "app.env");
  await writeFile(path, "A=1\nDB=old\n", { mode: 0o640 });
  const config = file.configSchema.parse({ path, format: "dotenv", keys: { DB: "password" } });
  const session = await file.open(
    { config, allowed: { roots: [folder], reloads: {} }, digestKey: randomBytes(32) },
    { signal: new AbortController().signal, log: () => {}, fetch: null as never },
  );
  expect(await session.preflight()).toEqual([]);
  const seen = await session.observe();
  const password = randomBytes(8).toString("hex");
  const value = { password: new Secret(password) };
  const done = await session.deliver({ version: 2, number: { epoch: 1, number: 1 }, value, expected: seen.digest });
  expect(await readFile(path, "utf8")).toBe(`A=1\nDB=${password}\n`);
  const now = await session.observe();
  expect(now.digest).toBe(done.digest);
  expect(now.holds(value)).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o640);
  expect((await readdir(folder)).sort()).toEqual([".app.env.rekey", "app.env"]);
});
