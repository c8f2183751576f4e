import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, readdir, readlink, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const program = fileURLToPath(new URL("../../bin/rekey", import.meta.url));
const limitMs = 300_000;

/** The demonstration's own temporary folder: whatever it starts names it somewhere. */
let temporary: string;
let demo: ChildProcess;
let said: string;
let printed: string;

beforeEach(async () => {
  temporary = await mkdtemp(join(await realpath(tmpdir()), "rk-"));
  await chmod(temporary, 0o711);
  said = "";
  printed = "";
});
afterEach(async () => {
  demo.kill("SIGTERM");
  await rm(temporary, { recursive: true, force: true });
});

function start(...args: readonly string[]): void {
  demo = spawn(process.execPath, [program, "demo", ...args], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  demo.stdout?.setEncoding("utf8").on("data", (text: string) => (printed += text));
  demo.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
}

async function until(text: string): Promise<void> {
  while (!said.includes(text)) {
    if (demo.exitCode !== null) throw new Error(`It ended before it said "${text}":\n${said}`);
    await sleep(20);
  }
}

async function exitCode(): Promise<unknown> {
  if (demo.exitCode === null) await once(demo, "close");
  return demo.exitCode;
}

/** Processes that work in the folder, or were started with it in their arguments or settings. */
async function leftRunning(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const read = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "");
    const line = await read("cmdline");
    const all = [line, await read("environ"), await readlink(`/proc/${pid}/cwd`).catch(() => "")];
    if (all.some((text) => text.includes(temporary))) found.push(`${pid} ${line.replaceAll("\0", " ")}`);
  }
  return found;
}

async function leftBehind(): Promise<readonly string[]> {
  const files = await readdir(temporary, { recursive: true });
  // Where a server of root's finds room; it belongs to nobody's run.
  return files.filter((file) => file !== "rekey-postgres");
}

interface Summary {
  readonly ordersPlaced: number;
  readonly failedStatements: number;
  readonly refusedLogins: number;
  readonly oldLoginRefusedAfterMs: number;
  readonly rotations: readonly { readonly id: string; readonly outcome: string }[];
}

test(
  "invariants 1, 4 and 5: four rotations under live traffic, told as they went, and nothing is left",
  async () => {
    start("--json");
    expect(await exitCode(), said).toBe(0);
    const summary = JSON.parse(printed) as Summary;
    expect(summary).toMatchObject({ failedStatements: 0, refusedLogins: 0 });
    expect(summary.rotations.map(({ outcome }) => outcome)).toEqual(["proven", "undone", "proven", "proven"]);
    expect(new Set(summary.rotations.map(({ id }) => id)).size).toBe(4);
    expect(summary.ordersPlaced).toBeGreaterThan(100);
    expect(summary.oldLoginRefusedAfterMs).toBeGreaterThan(0);
    expect(said).toMatch(/kill -9 \d+: the file is written, and the worker is gone/);
    expect(said).toMatch(/application "forgotten-report".* is no registered consumer/);
    expect(said).not.toContain("\u001b");
    expect(await leftRunning()).toEqual([]);
    expect(await leftBehind()).toEqual([]);
  },
  limitMs,
);

describe("Ctrl-C stops everything", () => {
  test.each([
    ["before anything runs", "Setting the stage"],
    ["while its servers start", "takes orders at"],
    ["in the middle of a rotation", "delivered"],
  ])(
    "%s",
    async (_, moment) => {
      start("--json");
      await until(moment);
      demo.kill("SIGINT");
      expect(await exitCode(), said).toBe(130);
      expect(await leftRunning(), said).toEqual([]);
      expect(await leftBehind(), said).toEqual([]);
    },
    limitMs,
  );

  test(
    "also when the command line that started it was killed",
    async () => {
      start("--json");
      await until("takes orders at");
      demo.kill("SIGKILL");
      while ((await leftRunning()).length > 0) await sleep(100);
      expect(await leftBehind(), said).toEqual([]);
    },
    limitMs,
  );
});
