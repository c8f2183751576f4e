import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SetupSandbox } from "../../test/harness/setup-sandbox.ts";

let box: SetupSandbox;

beforeEach(async () => {
  box = await SetupSandbox.open();
});

afterEach(() => box.close());

const builds = async () => (await box.calls("go")).filter((call) => call.startsWith("go build"));
const inCache = async () => (await readdir(box.cache)).filter((name) => name.includes("vault"));

test("it is built once, and nothing of its source stays", async () => {
  expect((await box.run({}, "--only=vault")).said).toContain("ready after");
  const { out, said } = await box.run({}, "--only=vault", "--where");
  expect(said).toBe("");
  expect(await readdir(out.trim())).toEqual(["vault"]);
  expect(await builds()).toHaveLength(1);
});

test("asked only for what is there, it builds nothing", async () => {
  const { code, said } = await box.run({}, "--only=vault", "--where=found");
  expect(code).toBe(1);
  expect(said).toContain("Run 'npm run setup -- --servers'.");
  expect(await builds()).toEqual([]);
});

test("a build that fails leaves nothing that could be taken for the program", async () => {
  const { code, said } = await box.run({ FAKE_GO: "fail" }, "--only=vault");
  expect(code).toBe(1);
  expect(said).toContain("Vault could not be built (go ended with 2). Run it again to see why.");
  expect(await inCache()).toEqual([]);
});

test("a module that is not the one it was is refused before anything is built", async () => {
  const { said } = await box.run({ FAKE_GO: "other-module" }, "--only=vault");
  expect(said).toContain("has a wrong checksum");
  expect(await builds()).toEqual([]);
});

test("without Go one line says what to install", async () => {
  const { said } = await box.run({ PATH: join(box.root, "nowhere") }, "--only=vault");
  expect(said).toContain("Install Go 1.26, then run it again.");
});
