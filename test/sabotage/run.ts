// Plants each sabotage alone in a copy of the source and sees the suites fail that have to notice it.
//   npm run test:sabotage                       all, after the same suites have passed on the source as it is
//   npm run test:sabotage -- --only "revoke"    those whose name begins so
//   npm run test:sabotage -- --list             their names
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Sabotage } from "./sabotage.ts";
import { sabotages } from "./sabotages.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const leftOut = new Set(["node_modules", ".git", "dist", ".stryker-tmp"].map((name) => join(root, name)));
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const spoken = (suite: readonly string[]): string =>
  suite
    .slice(1)
    .filter((word) => !/^(?:run|--\w+Timeout=\d+)$/.test(word))
    .join(" ");

const { values } = parseArgs({ options: { only: { type: "string" }, list: { type: "boolean" } } });
const chosen = sabotages.filter(({ name }) => name.startsWith(values.only ?? ""));
if (chosen.length === 0) throw new Error(`No sabotage's name begins with "${values.only}"; --list shows all.`);
if (values.list === true) for (const { name } of sabotages) say(name);
else process.exitCode = (await runAll(chosen)) ? 0 : 1;

async function runAll(all: readonly Sabotage[]): Promise<boolean> {
  let failed = 0;
  const suites = new Map(all.flatMap(({ caughtBy }) => caughtBy.map((suite) => [spoken(suite), suite] as const)));
  for (const [name, suite] of suites) {
    const { code } = await inCopy([], suite);
    if (code !== 0) failed += 1;
    say(`${code === 0 ? "passes" : "FAILS "}  as it is  ←  ${name}`);
  }
  for (const { name, edits, caughtBy } of all) {
    for (const suite of caughtBy) {
      const { code, failures } = await inCopy(edits, suite);
      // A source that does not even load fails too, and shows nothing.
      const isCaught = code !== 0 && failures.length > 0;
      if (!isCaught) failed += 1;
      say(`${isCaught ? "caught" : "UNSEEN"}  ${name}  ←  ${spoken(suite)}`);
      for (const failure of failures) say(`          ${failure}`);
    }
  }
  const count = all.reduce((sum, { caughtBy }) => sum + caughtBy.length, 0);
  say(`${count + suites.size - failed} passed, ${failed} failed, 0 skipped`);
  return failed === 0;
}

interface Ran {
  readonly code: number | null;
  /** The names of the tests or cases that failed. */
  readonly failures: readonly string[];
}

/** Runs a suite on a copy of the source with these edits. */
async function inCopy(edits: Sabotage["edits"], suite: readonly string[]): Promise<Ran> {
  const copy = await mkdtemp(join(tmpdir(), "rk-sabotage-"));
  try {
    await cp(root, copy, { recursive: true, filter: (source) => !leftOut.has(source) });
    await symlink(join(root, "node_modules"), join(copy, "node_modules"));
    for (const { file, find, put } of edits) {
      const path = join(copy, file);
      const parts = (await readFile(path, "utf8")).split(find);
      if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times what is to be edited: ${find}`);
      await writeFile(path, parts.join(put));
    }
    const env = { ...process.env, NO_COLOR: "1" };
    const child = spawn(process.execPath, suite, { cwd: copy, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    const [code] = (await once(child, "close")) as [number | null];
    return { code, failures: failuresIn(output) };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** What both runners print of a failure; a file that failed to load has no name of a test. */
function failuresIn(output: string): readonly string[] {
  const ofTests = [...output.matchAll(/^ FAIL +(.* > .*)$/gm)].map(([, name = ""]) => name);
  const ofCases = [...output.matchAll(/^FAIL {2}(\S+) .*\n +(.*)$/gm)].map(
    ([, name = "", why = ""]) => `${name}: ${why}`,
  );
  return [...new Set([...ofTests, ...ofCases])];
}
