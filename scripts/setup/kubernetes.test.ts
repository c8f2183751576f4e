import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SetupSandbox } from "../../test/harness/setup-sandbox.ts";

let box: SetupSandbox;

beforeEach(async () => {
  box = await SetupSandbox.open();
});

afterEach(() => box.close());

const builds = async () => (await box.calls("go")).filter((call) => /^go build .*k8s/.test(call));
const inCache = async () => (await readdir(box.cache)).filter((name) => name.includes("kubernetes"));

test("a set-up that does not ask for servers builds none", async () => {
  await box.run({ REKEY_TEMPORAL_BIN: join(box.bin, "go") });
  expect(await builds()).toEqual([]);
});

test("asked for servers it builds both programs, once", async () => {
  const temporal = { REKEY_TEMPORAL_BIN: join(box.bin, "go") };
  expect((await box.run(temporal, "--servers")).code).toBe(0);
  const { out, said } = await box.run({}, "--only=kubernetes", "--where");
  expect(said).toBe("");
  expect((await readdir(out.trim())).toSorted()).toEqual(["kube-apiserver", "kube-controller-manager"]);
  expect(await builds()).toHaveLength(2);
});

test("asked only for what is there, it builds nothing", async () => {
  const { code, said } = await box.run({}, "--only=kubernetes", "--where=found");
  expect(code).toBe(1);
  expect(said).toContain("Run 'npm run setup -- --servers'.");
  expect(await builds()).toEqual([]);
});

test("a build that fails leaves nothing that could be taken for the programs", async () => {
  const { code, said } = await box.run({ FAKE_GO: "fail" }, "--only=kubernetes");
  expect(code).toBe(1);
  expect(said).toContain("kube-apiserver could not be built (go ended with 2). Run it again to see why.");
  expect(await inCache()).toEqual([]);
});

test("without etcd or Go one line says what to install", async () => {
  expect((await box.run({ PATH: "/nowhere" }, "--only=kubernetes")).said).toContain("apt-get install etcd-server");
  await rm(join(box.bin, "go"));
  const { said } = await box.run({ PATH: box.bin }, "--only=kubernetes");
  expect(said).toContain("Install Go 1.26, then run it again.");
});
