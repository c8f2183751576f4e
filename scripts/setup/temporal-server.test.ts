import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SetupSandbox } from "../../test/harness/setup-sandbox.ts";

let box: SetupSandbox;

beforeEach(async () => {
  box = await SetupSandbox.open();
});

afterEach(() => box.close());

const builds = async () => (await box.calls("go")).filter((call) => /^go build .*go\.temporal\.io\/server/.test(call));

test("a set-up that does not ask for servers does not build it", async () => {
  await box.run({ REKEY_TEMPORAL_BIN: join(box.bin, "go") });
  expect(await builds()).toEqual([]);
});

test("it is built once, the server and the program that makes its schema, by names that say what they are", async () => {
  expect((await box.run({}, "--only=temporal-server")).code).toBe(0);
  const { out, said } = await box.run({}, "--only=temporal-server", "--where");
  expect(said).toBe("");
  expect((await readdir(out.trim())).toSorted()).toEqual(["temporal-server", "temporal-sql-tool"]);
  expect(await builds()).toHaveLength(2);
});

test("asked only for what is there, it builds nothing", async () => {
  const { code, said } = await box.run({}, "--only=temporal-server", "--where=found");
  expect(code).toBe(1);
  expect(said).toContain("Run 'npm run setup -- --servers'.");
  expect(await builds()).toEqual([]);
});

test("a build that fails leaves nothing, and without Go one line says what to install", async () => {
  const failed = await box.run({ FAKE_GO: "fail" }, "--only=temporal-server");
  expect(failed.said).toContain("temporal-server could not be built (go ended with 2). Run it again to see why.");
  expect((await readdir(box.cache)).filter((name) => name.includes("temporal"))).toEqual([]);
  await rm(join(box.bin, "go"));
  const { said } = await box.run({ PATH: box.bin }, "--only=temporal-server");
  expect(said).toContain("Install Go 1.26, then run it again.");
});
