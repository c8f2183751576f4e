import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";

/** A command of the installed package, as a process group of its own. */
export interface RekeyProcess {
  readonly pid: number;
  readonly ended: Promise<string>;
  output(): string;
  /** Resolves with the first line of what it wrote that the text is in; rejects when it ends before. */
  line(text: string): Promise<string>;
  /** The command and what it started, at once: as when a machine goes away. */
  kill(): Promise<void>;
  /** As an init system asks for it. */
  stop(): Promise<void>;
}

export type Environment = Readonly<Record<string, string>>;

export function startRekey(program: string, args: readonly string[], env: Environment, input = ""): RekeyProcess {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", ...env },
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const pid = child.pid ?? 0;
  let output = "";
  const looks = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const look of looks) look();
    });
  const ended = once(child, "close").then(([code, signal]) => String(signal ?? code));
  return {
    pid,
    ended,
    output: () => output,
    line: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = output.split("\n").find((line) => line.includes(text));
          if (found === undefined) return;
          looks.delete(look);
          resolve(found);
        };
        looks.add(look);
        look();
        void ended.then((how) => reject(new Error(`rekey ${args.join(" ")} ended (${how}) first:\n${output}`)));
      }),
    async kill() {
      process.kill(-pid, "SIGKILL");
      await ended;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const how = await Promise.race([ended, pause(40_000, "late", { ref: false })]);
      if (how === "late") process.kill(-pid, "SIGKILL");
      await ended;
    },
  };
}

/** Runs a command to its end. @throws with all it wrote unless it ends with the code. */
export async function runRekey(
  program: string,
  args: readonly string[],
  env: Environment,
  { input = "", code = "0" }: { readonly input?: string; readonly code?: string } = {},
): Promise<string> {
  const running = startRekey(program, args, env, input);
  const how = await running.ended;
  if (how !== code) throw new Error(`rekey ${args.join(" ")} ended with ${how}:\n${running.output()}`);
  return running.output();
}
