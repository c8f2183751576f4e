import { spawn, type ChildProcess } from "node:child_process";
import { isAbsolute } from "node:path";
import type { ReloadEntry } from "../../contract/consumer.ts";
import { notReloaded } from "./not-reloaded.ts";

type Command = Extract<ReloadEntry, { readonly argv: unknown }>;

/** How a command ended: an exit code, or why there is none. */
type Ending = number | "not-started" | "killed" | "timed-out" | "cancelled";

/** The whole group, so that what the command started does not outlive the time limit. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Ended by itself in the meantime.
  }
}

function started(command: Command): ChildProcess | undefined {
  const [program, ...args] = command.argv;
  const identity = command.uid === undefined ? {} : { uid: command.uid, gid: command.gid ?? command.uid };
  try {
    // Output is dropped: what a command prints may hold the value it has just read.
    return spawn(program, args, { ...identity, cwd: "/", env: {}, shell: false, detached: true, stdio: "ignore" });
  } catch {
    return undefined;
  }
}

async function ending(command: Command, signal: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    const child = started(command);
    if (child === undefined) return resolve("not-started");
    let ended: Ending | undefined;
    const stop = (why: Ending): void => {
      ended ??= why;
      killGroup(child.pid);
    };
    const timer = setTimeout(() => stop("timed-out"), command.timeoutMs);
    const cancel = (): void => stop("cancelled");
    signal.addEventListener("abort", cancel, { once: true });
    const settle = (how: Ending): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
      resolve(ended ?? how);
    };
    child.once("error", () => settle("not-started"));
    child.once("exit", (code) => settle(code ?? "killed"));
  });
}

/** Runs an absolute program without a shell, with an empty environment, and waits for it to end with 0. */
export async function runCommand(name: string, command: Command, signal: AbortSignal): Promise<void> {
  if (!isAbsolute(command.argv[0]))
    return notReloaded(`The command of reload "${name}" is not an absolute path. Mend the worker's settings.`);
  const ended = await ending(command, signal);
  if (ended === 0) return;
  if (ended === "cancelled") signal.throwIfAborted();
  if (ended === "not-started")
    return notReloaded(`The command of reload "${name}" could not be started. Does it exist, may its user run it?`);
  if (ended === "timed-out")
    return notReloaded(`The command of reload "${name}" took longer than ${command.timeoutMs} ms. Run it by hand.`);
  return notReloaded(
    `The command of reload "${name}" ended with ${ended === "killed" ? "a signal" : `code ${ended}`}. Run it by hand to see why, then retry.`,
  );
}
