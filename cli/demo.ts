import { fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExitCode } from "./exit-codes.ts";

/** `rekey demo`: a program of its own; it starts whatever it needs and leaves nothing behind. */
export function demo(options: { readonly keep?: boolean; readonly json?: boolean }): Promise<ExitCode> {
  const file = fileURLToPath(new URL(`../demo/main${extname(import.meta.url)}`, import.meta.url));
  const args = [...(options.keep === true ? ["--keep"] : []), ...(options.json === true ? ["--json"] : [])];
  const child = fork(file, args, { stdio: "inherit" });
  // It stops what it has started, and we wait for it. A terminal signals both of us; it hears the first of two.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve((code ?? 1) as ExitCode));
  });
}
