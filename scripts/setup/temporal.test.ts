import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isGoneWithin } from "../../embedded/processes.ts";
import { SetupSandbox } from "../../test/harness/setup-sandbox.ts";

let box: SetupSandbox;

beforeEach(async () => {
  box = await SetupSandbox.open();
});

afterEach(() => box.close());

const run = (env: Record<string, string> = {}, ...args: string[]) => box.run(env, "--only=temporal", ...args);
const lastLine = (said: string) => said.trim().split("\n").at(-1) ?? "";
const inCache = async () => (await readdir(box.cache)).filter((name) => name.includes("temporal"));

async function putProgram(path: string, text = "#!/bin/sh\nexit 0\n"): Promise<string> {
  await writeFile(path, text, { mode: 0o755 });
  return path;
}

/** Answers like the vendor's release page, with this checksum or the right one. */
async function offerRelease(checksum?: string): Promise<void> {
  const go = await readFile(join(box.tree, "scripts", "temporal", "go.mod"), "utf8");
  const version = /temporalio\/cli v([\d.]+)/.exec(go)?.[1] ?? "";
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const name = `temporal_cli_${version}_${process.platform}_${arch}.tar.gz`;
  await mkdir(join(box.root, "release"));
  await putProgram(join(box.root, "release", "temporal"), "#!/bin/sh\n# released\nexit 0\n");
  const archive = join(box.root, "archive.tar.gz");
  execFileSync("tar", ["-czf", archive, "-C", join(box.root, "release"), "temporal"]);
  const digest =
    checksum ??
    createHash("sha256")
      .update(await readFile(archive))
      .digest("hex");
  await writeFile(
    join(box.root, "fetch.mjs"),
    `import { readFileSync } from "node:fs";
     globalThis.fetch = async (address) => {
       if (!address.startsWith("https://github.com/temporalio/cli/releases/download/v${version}/")) return new Response("", { status: 404 });
       if (address.endsWith("/checksums.txt")) return new Response("${"0".repeat(64)}  other.tar.gz\\n${digest}  ${name}\\n");
       if (address.endsWith("/${name}")) return new Response(readFileSync(${JSON.stringify(archive)}));
       return new Response("", { status: 404 });
     };`,
  );
}

const withTar = () => ({ PATH: `${box.bin}:/usr/bin:/bin` });

test("the chosen program is taken, and refused by the name of its setting when it does not run", async () => {
  const chosen = await putProgram(join(box.root, "mine"));
  expect(await run({ REKEY_TEMPORAL_BIN: chosen }, "--where")).toMatchObject({ code: 0, out: `${chosen}\n` });
  const { code, said } = await run({ REKEY_TEMPORAL_BIN: "/nowhere/temporal" });
  expect(code).toBe(1);
  expect(said).toBe(
    "setup: REKEY_TEMPORAL_BIN names /nowhere/temporal, which does not run. Correct it, or unset it.\n",
  );
});

test("the one on PATH comes before a download", async () => {
  const onPath = await putProgram(join(box.bin, "temporal"));
  expect(await run({}, "--where")).toMatchObject({ code: 0, out: `${onPath}\n`, said: "" });
  expect(await box.calls("go")).toEqual([]);
});

test("one on PATH that does not run is passed over", async () => {
  await putProgram(join(box.bin, "temporal"), "#!/bin/sh\nexit 1\n");
  const { out } = await run({}, "--where");
  expect(out).toContain(box.cache);
});

test("a release whose checksum fits is taken without Go", async () => {
  await offerRelease();
  const { code, out } = await run(withTar(), "--where");
  expect(code).toBe(0);
  expect(await readFile(out.trim(), "utf8")).toContain("# released");
  expect(await box.calls("go")).toEqual([]);
});

test("a release with a wrong checksum is never run: it is built instead", async () => {
  await offerRelease("f".repeat(64));
  const { said, out } = await run(withTar(), "--where");
  expect(said).toContain("the download has a wrong checksum; building it with Go");
  expect(await readFile(out.trim(), "utf8")).not.toContain("# released");
});

test("without network it is built, once", async () => {
  expect((await run()).said).toContain("Temporal: no download (no network); building it with Go");
  expect(await run({}, "--where")).toMatchObject({ code: 0, said: "" });
  expect((await box.calls("go")).filter((call) => call.startsWith("go build"))).toHaveLength(1);
});

test("without network and Go one line says what can be done", async () => {
  const { code, said } = await run({ PATH: "/nowhere" });
  expect(code).toBe(1);
  expect(lastLine(said)).toMatch(
    /Temporal could not be had: no download \(no network\), and Go is not installed\. Install the Temporal CLI .* or Go 1\.26, or set REKEY_TEMPORAL_BIN; then run/,
  );
});

test("a build that fails is one line too", async () => {
  const { code, said } = await run({ FAKE_GO: "fail" });
  expect(code).toBe(1);
  expect(lastLine(said)).toContain("the build failed (go ended with 2). Install the Temporal CLI");
  expect(await inCache()).toEqual([]);
});

test("Ctrl-C in a build ends the build and leaves nothing that could be taken for the program", async () => {
  const first = box.start({ FAKE_GO: "hang" }, "--only=temporal");
  await first.says("go builds");
  first.child.kill("SIGINT");
  expect((await first.ended).code).toBe(130);
  const call = (await box.calls("go")).at(-1);
  expect(await isGoneWithin(Number(call?.split("#")[1]), 1000)).toBe(true);
  expect(await inCache()).toEqual([]);
  expect((await run()).code).toBe(0);
});

test("what a killed build left is swept by the next one", async () => {
  const first = box.start({ FAKE_GO: "hang" }, "--only=temporal");
  await first.says("go builds");
  await first.kill();
  expect(await inCache()).toHaveLength(1);
  const left = Number((await box.calls("go")).at(-1)?.split("#")[1]);
  try {
    expect((await run()).code).toBe(0);
    expect((await inCache()).filter((name) => name.startsWith("."))).toEqual([]);
  } finally {
    process.kill(left, "SIGKILL");
  }
});

test("two at once build once", async () => {
  const both = await Promise.all([run({}, "--where"), run({}, "--where")]);
  expect(both[0]?.out).toBe(both[1]?.out);
  expect((await box.calls("go")).filter((call) => call.startsWith("go build"))).toHaveLength(1);
});

test("asked only for what is there, it gets nothing", async () => {
  expect((await run({}, "--where=found")).code).toBe(1);
  expect(existsSync(box.cache)).toBe(false);
  await run();
  expect((await run({}, "--where=found")).code).toBe(0);
});

test("a step that is none is named with those there are", async () => {
  expect((await box.run({}, "--only=everything")).said).toBe(
    "setup: There is no step 'everything'. The steps are packages, node, postgres, temporal, kubernetes, vault, moto, temporal-server.\n",
  );
});
