import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SetupSandbox } from "../../test/harness/setup-sandbox.ts";

let box: SetupSandbox;

beforeEach(async () => {
  box = await SetupSandbox.open();
});

afterEach(() => box.close());

const made = async () => (await box.calls("python3")).filter((call) => call.startsWith("python3 -m venv"));
const inCache = async () => (await readdir(box.cache)).filter((name) => name.includes("moto"));

test("an environment is made once, of packages by their checksums", async () => {
  expect((await box.run({}, "--only=moto")).said).toContain("ready after");
  const { out, said } = await box.run({}, "--only=moto", "--where");
  expect(said).toBe("");
  expect(await readdir(join(out.trim(), "bin"))).toEqual(["python"]);
  expect(await made()).toHaveLength(1);
  expect(await box.calls("pip")).toEqual([expect.stringMatching(/--require-hashes --no-deps .*requirements\.txt$/)]);
});

test("two at once make it once", async () => {
  const both = await Promise.all([box.run({}, "--only=moto"), box.run({}, "--only=moto")]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(await made()).toHaveLength(1);
});

test("a pin that changes is another environment", async () => {
  await box.run({}, "--only=moto");
  const pins = join(box.tree, "scripts", "moto", "requirements.txt");
  await writeFile(pins, `${await readFile(pins, "utf8")}# one more\n`);
  expect((await box.run({}, "--only=moto")).said).toContain("ready after");
  expect(await inCache()).toHaveLength(2);
});

test("asked only for what is there, it makes nothing", async () => {
  const { code, said } = await box.run({}, "--only=moto", "--where=found");
  expect(code).toBe(1);
  expect(said).toContain("Run 'npm run setup -- --servers'.");
  expect(await made()).toEqual([]);
});

test("packages that cannot be had, and one that is stopped, leave nothing that could be taken for it", async () => {
  const { code, said } = await box.run({ FAKE_PYTHON3: "fail-pip" }, "--only=moto");
  expect(code).toBe(1);
  expect(said).toContain("moto could not be installed (python ended with 1). Run it again to see why.");
  const stopped = box.start({ FAKE_PYTHON3: "hang" }, "--only=moto");
  await stopped.says("python hangs");
  stopped.child.kill("SIGTERM");
  expect(await stopped.ended).toMatchObject({ code: 143 });
  expect(await inCache()).toEqual([]);
});

test("without Python, or what Debian keeps apart from it, one line says what to install", async () => {
  const without = await box.run({ PATH: join(box.root, "nowhere") }, "--only=moto");
  expect(without.said).toContain("Install python3 and python3-venv, then run");
  const half = await box.run({ FAKE_PYTHON3: "fail" }, "--only=moto");
  expect(half.said).toContain("(python3 ended with 1). Install python3-venv, then run");
});
