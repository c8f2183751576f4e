#!/usr/bin/env node
// Everything that can be said of the code without starting a server, in under a minute: one line for each part with its
// time, then the whole output of those that failed. Names of parts as arguments run only these: `check.mjs lint types`.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The long ones first, so that the short ones fill the gaps. */
const parts = {
  tests: ["vitest", "run", "--project=unit"],
  replay: ["vitest", "run", "--project=replay", "--passWithNoTests"],
  lint: ["oxlint", "--type-aware"],
  types: ["tsc"],
  unused: ["knip", "--no-progress"],
  generated: ["node", "scripts/generate.mjs", "--check"],
  format: ["oxfmt", "--check"],
};

const env = {
  ...process.env,
  PATH: [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter),
  NO_COLOR: "1",
};

/** Runs one part to its end. Its output is kept back: a person wants that of the failed ones, all in one piece. */
function run([program, ...args]) {
  const from = performance.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    const output = [];
    child.stdout.on("data", (bytes) => output.push(bytes));
    child.stderr.on("data", (bytes) => output.push(bytes));
    const end = (isOk, said) =>
      resolve({
        isOk,
        seconds: (performance.now() - from) / 1000,
        said: said ?? Buffer.concat(output).toString("utf8"),
      });
    child.once("error", (error) => end(false, `${program}: ${error.code}. Run 'node scripts/setup.mjs' first.\n`));
    child.once("close", (code) => end(code === 0));
  });
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(parts, name));
if (unknown.length > 0) {
  console.error(`check: there is no part '${unknown[0]}'; there are ${Object.keys(parts).join(", ")}.`);
  process.exit(2);
}

const began = performance.now();
const queue = Object.keys(parts).filter((name) => asked.length === 0 || asked.includes(name));
const failed = [];

async function work() {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const { isOk, seconds, said } = await run(parts[name]);
    console.log(`${isOk ? "ok    " : "FAILED"} ${name.padEnd(10)} ${seconds.toFixed(1).padStart(5)} s`);
    if (!isOk) failed.push({ name, said });
  }
}

await Promise.all(Array.from({ length: Math.max(1, Math.min(4, availableParallelism())) }, work));
for (const { name, said } of failed) console.log(`\n--- ${name}: ${parts[name].join(" ")}\n${said.trimEnd()}`);
const total = `${((performance.now() - began) / 1000).toFixed(1)} s`;
console.log(failed.length === 0 ? `check: all is well, ${total}` : `\ncheck: ${failed.length} failed, ${total}`);
process.exitCode = failed.length === 0 ? 0 : 1;
