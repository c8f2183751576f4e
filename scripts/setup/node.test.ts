import { spawnSync } from "node:child_process";
import { chmod, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodePackage, SetupSandbox } from "../../test/harness/setup-sandbox.ts";

let box: SetupSandbox;

beforeEach(async () => {
  box = await SetupSandbox.open();
});

afterEach(() => box.close());

const cached = () => join(box.cache, `node-24.0.0-${process.platform}-${process.arch}`, "bin", "node");

test("a package whose install script has not run gets its Node, also for npm run", async () => {
  const { code } = await box.run({ FAKE_NPM: "no-node" }, "--only=packages");
  expect(code).toBe(0);
  const { said } = await box.run({ FAKE_NPM: "no-node" }, "--only=node");
  expect(said).toContain(nodePackage);
  expect(box.has("node_modules/node/bin/node")).toBe(true);
  expect(box.has("node_modules/.bin/node")).toBe(true);
  expect(await box.run({}, "--only=node")).toEqual({ code: 0, said: "", out: "" });
});

test("when Node 24 cannot be had one line says what to do", async () => {
  await box.run({ FAKE_NPM: "no-node" }, "--only=packages");
  const { code, said } = await box.run({ FAKE_NPM: "fail" }, "--only=node");
  expect(code).toBe(1);
  expect(said.trim().split("\n").at(-1)).toMatch(/Node 24 could not be had .*Install Node 24 yourself/);
});

test("installed as a package, it needs no other Node than a new enough one", async () => {
  const inside = join(box.root, "prefix", "node_modules", "rekey");
  await mkdir(inside, { recursive: true });
  await cp(box.tree, inside, { recursive: true });
  await rm(join(inside, "package-lock.json"));
  const args = [join(inside, "scripts", "setup.mjs"), "--only=node", `--cache=${box.cache}`];
  const { status } = spawnSync(process.execPath, args, { env: { PATH: "/nowhere" } });
  expect(status).toBe(0);
  expect(existsSync(cached())).toBe(false);
});

test("installed as a package under an old Node, the program takes the one in the cache", async () => {
  const inside = join(box.root, "prefix", "node_modules", "rekey");
  await mkdir(join(inside, "dist", "cli"), { recursive: true });
  await cp(box.tree, inside, { recursive: true });
  await cp(join(import.meta.dirname, "..", "..", "bin"), join(inside, "bin"), { recursive: true });
  await writeFile(join(inside, "package.json"), '{ "type": "module", "dependencies": { "node": "24.0.0" } }');
  await writeFile(join(inside, "dist", "cli", "main.js"), "");
  await mkdir(join(cached(), ".."), { recursive: true });
  await writeFile(cached(), '#!/bin/sh\necho "in the cache: $2"\nexit 7\n');
  await chmod(cached(), 0o755);
  // An old Node is one that says so: the version is all that the program looks at.
  const old = join(box.root, "old.mjs");
  await writeFile(
    old,
    `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } });`,
  );
  const { status, stdout } = spawnSync(process.execPath, ["--import", old, join(inside, "bin", "rekey"), "--help"], {
    encoding: "utf8",
    env: { PATH: "/nowhere", XDG_CACHE_HOME: join(box.root, "cache") },
  });
  expect(stdout.trim()).toBe("in the cache: --help");
  expect(status).toBe(7);
});
