import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isGoneWithin } from "../../embedded/processes.ts";
import { SetupSandbox } from "../../test/harness/setup-sandbox.ts";

let box: SetupSandbox;

beforeEach(async () => {
  box = await SetupSandbox.open();
});

afterEach(() => box.close());

const run = (env: Record<string, string> = {}) => box.run(env, "--only=packages");
const pidOf = (call: string | undefined): number => Number(call?.split("#")[1]);
const commands = async () => (await box.calls("npm")).map((call) => call.split(" --include")[0]);

test("packages come once: the second run calls nothing and says nothing", async () => {
  const first = await run();
  expect(first).toMatchObject({ code: 0 });
  expect(first.said).toContain("packages ready after");
  expect(await run()).toEqual({ code: 0, said: "", out: "" });
  expect(await box.calls("npm")).toHaveLength(1);
});

test("a changed lock file brings them again", async () => {
  await run();
  await box.lock({ "node_modules/node": { version: "24.0.1" } });
  await run();
  expect(await box.calls("npm")).toHaveLength(2);
});

test("packages that somebody else has installed as the lock file says are taken", async () => {
  await run();
  await writeFile(join(box.tree, "node_modules", ".rekey-setup"), "");
  await run();
  expect(await box.calls("npm")).toHaveLength(1);
});

test("two at once install once, and the one that waits says for whom", async () => {
  const first = box.start({ FAKE_NPM: "hang" }, "--only=packages");
  await first.says("npm hangs");
  const second = box.start({}, "--only=packages");
  await second.says(`another set-up is at work (pid ${first.child.pid}); waiting for it`);
  first.child.kill("SIGTERM");
  expect((await first.ended).code).toBe(143);
  expect((await second.ended).code).toBe(0);
  expect(box.has("node_modules/node/package.json")).toBe(true);
});

test("two that start in the same moment call npm once", async () => {
  const both = await Promise.all([run(), run()]);
  expect(both.map((end) => end.code)).toEqual([0, 0]);
  expect(await box.calls("npm")).toHaveLength(1);
});

test("Ctrl-C ends npm too, and the next run starts afresh instead of trusting half a package", async () => {
  const first = box.start({ FAKE_NPM: "hang" }, "--only=packages");
  await first.says("npm hangs");
  first.child.kill("SIGINT");
  expect(await first.ended).toMatchObject({ code: 130 });
  expect(await isGoneWithin(pidOf((await box.calls("npm"))[0]), 1000)).toBe(true);
  expect(box.has("node_modules/half")).toBe(true);
  const second = await run();
  expect(second.code).toBe(0);
  expect(second.said).toContain("interrupted");
  expect(box.has("node_modules/half")).toBe(false);
  expect(await readdir(join(box.cache, "locks"))).toEqual([]);
});

test("after a SIGKILL the next run ends the npm left behind and takes over the stale lock", async () => {
  const first = box.start({ FAKE_NPM: "hang" }, "--only=packages");
  await first.says("npm hangs");
  await first.kill();
  const left = pidOf((await box.calls("npm"))[0]);
  try {
    expect((await run()).code).toBe(0);
    expect(await isGoneWithin(left, 1000)).toBe(true);
    expect(box.has("node_modules/half")).toBe(false);
  } finally {
    await isGoneWithin(left, 0).then((isGone) => isGone || process.kill(left, "SIGKILL"));
  }
});

test("a lock whose number now belongs to a stranger is stale", async () => {
  const first = box.start({ FAKE_NPM: "hang" }, "--only=packages");
  await first.says("npm hangs");
  const locks = join(box.cache, "locks");
  const name = (await readdir(locks)).find((entry) => !entry.includes(".")) ?? "";
  const owner = join(locks, name, "owner");
  await first.kill();
  await writeFile(owner, (await readFile(owner, "utf8")).replace(/^\d+/, String(process.pid)));
  expect((await run()).code).toBe(0);
});

test("when npm fails one line says what to run, and what was there stays", async () => {
  await run();
  await box.lock({ "node_modules/other": { version: "1.0.0" } });
  const { code, said } = await run({ FAKE_NPM: "fail" });
  expect(code).toBe(1);
  expect(said.trim().split("\n").at(-1)).toBe(
    `setup: Packages could not be installed (npm ended with 1). Run 'npm install --no-save' in ${box.tree} to see why.`,
  );
  expect(said).not.toContain("    at ");
  expect(box.has("node_modules/node/package.json")).toBe(true);
  expect((await run()).said).not.toContain("interrupted");
});

test("a host without npm is told so", async () => {
  const { code, said } = await run({ PATH: "/nowhere" });
  expect(code).toBe(1);
  expect(said).toContain("npm cannot be started: ENOENT");
});

test("npm ci is taken for a whole lock file, npm install for one without other platforms' binaries", async () => {
  await box.lock({ "node_modules/tool": { version: "1.0.0", optionalDependencies: { "tool-other-platform": "1" } } });
  await run();
  await box.lock({
    "node_modules/tool": { version: "1.0.1", optionalDependencies: { "tool-other-platform": "1" } },
    "node_modules/tool-other-platform": { version: "1.0.0", optional: true },
  });
  await run();
  expect(await commands()).toEqual(["npm install --no-save", "npm ci"]);
});

test("npm ci that refuses is followed by npm install", async () => {
  await run({ FAKE_NPM: "refuse-ci" });
  expect(await commands()).toEqual(["npm ci", "npm install --no-save"]);
});

test("an installation that changes the lock file is no success", async () => {
  const { code, said } = await run({ FAKE_NPM: "change-lock" });
  expect(code).toBe(1);
  expect(said).toContain("package.json or package-lock.json changed during the installation");
});

test("binaries of other platforms may be missing, others not", async () => {
  await box.lock({
    "node_modules/here": { version: "1.0.0" },
    "node_modules/elsewhere": { version: "1.0.0", optional: true },
  });
  const hidden = (packages: unknown) => box.write("node_modules/.package-lock.json", { packages });
  await box.write("node_modules/here/package.json", {});
  await hidden({ "node_modules/here": { version: "1.0.0" } });
  await run();
  expect(await box.calls("npm")).toHaveLength(0);
  await writeFile(join(box.tree, "node_modules", ".rekey-setup"), "");
  await hidden({});
  await run();
  expect(await box.calls("npm")).toHaveLength(1);
});
