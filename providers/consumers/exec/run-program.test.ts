import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { longestOutput, runProgram, type Ending } from "./run-program.ts";
import { generous, startTrial, type Trial } from "../../../test/harness/own-program.ts";
import { needs } from "../../../test/harness/needs.ts";

const isRoot = process.geteuid?.() === 0;
const never = new AbortController().signal;

let trial: Trial;
let seen: string;
beforeEach(async () => {
  trial = await startTrial();
  seen = join(trial.folder, "seen");
});
afterEach(async () => trial.end());

async function sh(script: string, more: Partial<Parameters<typeof runProgram>[0]> = {}, input = ""): Promise<Ending> {
  return runProgram({ argv: ["/bin/sh", "-c", script, seen], timeoutMs: generous, ...more }, input, never);
}

const said = (ending: Ending): string => (ending.how === "ended" ? ending.output.toString() : ending.how);

function stateOf(pid: number): string {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "unknown";
  } catch {
    return "gone";
  }
}

/** The kernel carries out a SIGKILL in its own time; whoever adopts the process may leave it as a zombie. */
const isOver = async (pid: number) =>
  vi.waitFor(() => expect(stateOf(pid)).toMatch(/^[ZX]$|^gone$/), { timeout: 20_000 });

describe("a program of the settings", () => {
  it("gets its input, runs without a shell and in the root folder, and is heard", async () => {
    expect(said(await sh('cat; pwd; printf "%s" "$1"', {}, "in\n"))).toBe("in\n/\n");
    const argv = [process.execPath, "-p", "process.argv[1]", "$(id); *"] as const;
    expect(said(await runProgram({ argv, timeoutMs: generous }, "", never))).toBe("$(id); *\n");
  });

  it("has an empty environment, and only PATH where the entry has one", async () => {
    const argv = [process.execPath, "-p", "JSON.stringify(process.env)"] as const;
    expect(said(await runProgram({ argv, timeoutMs: generous }, "", never))).toBe("{}\n");
    const path = "/usr/bin:/bin";
    const ending = await runProgram({ argv, path, timeoutMs: generous }, "", never);
    expect(JSON.parse(said(ending))).toEqual({ PATH: path });
  });

  it("runs as its own user, without a group of the worker", async (context) => {
    needs(context, isRoot, "needs root, to become somebody else");
    expect(said(await sh("id -u; id -G", { uid: 12_345 }))).toBe("12345\n12345\n");
    expect(said(await sh("id -u; id -G", { uid: 12_345, gid: 12_346 }))).toBe("12345\n12346\n");
  });

  it("is not started where the worker may not become its user", async () => {
    const lowered = process.geteuid?.() ?? -1;
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(await sh('echo ran > "$0"', { uid: 12_345 })).toEqual({ how: "not started", errno: "EPERM" });
    } finally {
      if (isRoot) process.seteuid?.(lowered);
    }
    expect(() => readFileSync(seen)).toThrow("ENOENT");
  });

  it("is not started where there is none, or where it may not be run", async () => {
    const start = async (program: string) => runProgram({ argv: [program], timeoutMs: generous }, "", never);
    expect(await start(seen)).toEqual({ how: "not started", errno: "ENOENT" });
    writeFileSync(seen, "#!/bin/sh\n");
    chmodSync(seen, 0o600);
    expect(await start(seen)).toEqual({ how: "not started", errno: "EACCES" });
    expect(await start("/bin/a\0b")).toMatchObject({ how: "not started" });
  });

  it("ends at its time limit, with what it started", async () => {
    const ending = await sh('sleep 1000 & echo $! > "$0"; wait', { timeoutMs: 1000 });
    expect(ending).toEqual({ how: "timed out" });
    await isOver(Number(readFileSync(seen, "utf8")));
  });

  it("takes with it what it left running when it ended", async () => {
    const ending = await sh('sleep 1000 & echo $! > "$0"; echo done');
    expect(said(ending)).toBe("done\n");
    await isOver(Number(readFileSync(seen, "utf8")));
  });

  it("is not waited for beyond its limit by one that left its group and holds its output", async () => {
    // The limit has to leave it the time to say its number.
    const script = 'require("node:child_process").spawn("/bin/sleep", ["1000"], { detached: true, stdio: "inherit" })';
    const program = `const child = ${script}; require("node:fs").writeFileSync(${JSON.stringify(seen)}, String(child.pid)); child.unref();`;
    const argv = [process.execPath, "-e", program] as const;
    const ending = await runProgram({ argv, timeoutMs: 5000 }, "", never);
    spawnSync("/bin/kill", ["-9", readFileSync(seen, "utf8")]);
    expect(ending).toEqual({ how: "timed out" });
  });

  it("is ended when it says too much, and may say just as much as is allowed", async () => {
    expect(await sh("cat /dev/zero")).toEqual({ how: "said too much" });
    expect(said(await sh(`head -c ${longestOutput} /dev/zero`))).toHaveLength(longestOutput);
  });

  it("may end without having read its input, however long that is", async () => {
    expect(await sh("exit 0", {}, "x".repeat(1_000_000))).toMatchObject({ how: "ended", code: 0 });
    expect(await sh("exec 0<&-; echo x; exit 7", {}, "x".repeat(1_000_000))).toMatchObject({ how: "ended", code: 7 });
  });

  it("says how it ended", async () => {
    expect(await sh("exit 7")).toMatchObject({ how: "ended", code: 7 });
    expect(await sh("kill -9 $$")).toEqual({ how: "killed" });
  });

  it("ends when it is cancelled", async () => {
    const abort = new AbortController();
    const running = runProgram({ argv: ["/bin/sleep", "1000"], timeoutMs: generous }, "", abort.signal);
    abort.abort();
    expect(await running).toEqual({ how: "cancelled" });
  });
});
