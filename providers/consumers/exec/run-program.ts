import { spawn, type ChildProcess } from "node:child_process";
import type { ProgramEntry } from "../../contract/consumer.ts";

/** More than any answer needs, in bytes. */
export const longestOutput = 65_536;

/** How a program ended, and what it said if it came to its own end. */
export type Ending =
  | { readonly how: "ended"; readonly code: number; readonly output: Buffer }
  | { readonly how: "not started"; readonly errno: string }
  | { readonly how: "killed" }
  | { readonly how: Stop };

/** Why we ended it. */
type Stop = "timed out" | "said too much" | "cancelled";

/** The whole group, so that what the program started does not outlive it. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // There is nobody left in it.
  }
}

const errnoOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown";

function started({ argv, uid, gid, path }: ProgramEntry): ChildProcess {
  const [program, ...args] = argv;
  return spawn(program, args, {
    ...(uid === undefined ? {} : { uid }),
    ...(uid === undefined && gid === undefined ? {} : { gid: gid ?? uid }),
    cwd: "/",
    env: path === undefined ? {} : { PATH: path },
    shell: false,
    detached: true,
    // What it says on standard error may hold the value. It goes nowhere.
    stdio: ["pipe", "pipe", "ignore"],
  });
}

/** Runs a program without a shell, gives it the input, and waits for its end. Never throws. */
export async function runProgram(entry: ProgramEntry, input: string, signal: AbortSignal): Promise<Ending> {
  let child: ChildProcess;
  try {
    child = started(entry);
  } catch (error) {
    return { how: "not started", errno: errnoOf(error) };
  }
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let length = 0;
    let stopped: Ending | undefined;
    let hasEnded = false;
    const stop = (how: Stop): void => {
      stopped ??= { how };
      // Once it has ended its group is gone, and the number may be another's.
      if (!hasEnded) killGroup(child.pid);
      // Whoever left the group may still hold the other end.
      child.stdout?.destroy();
    };
    const timer = setTimeout(() => stop("timed out"), entry.timeoutMs);
    const cancel = (): void => stop("cancelled");
    signal.addEventListener("abort", cancel, { once: true });
    const settle = (ending: Ending): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
      resolve(stopped ?? ending);
    };
    child.stdout?.on("data", (part: Buffer) => {
      length += part.length;
      if (length > longestOutput) stop("said too much");
      else parts.push(part);
    });
    // One that does not read its input answers nonsense or nothing, and that is what is said then.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
    child.once("error", (error) => settle({ how: "not started", errno: errnoOf(error) }));
    child.once("exit", () => {
      hasEnded = true;
      killGroup(child.pid);
    });
    child.once("close", (code) =>
      settle(code === null ? { how: "killed" } : { how: "ended", code, output: Buffer.concat(parts) }),
    );
  });
}
