import { createInterface } from "node:readline/promises";

/** Somebody who reads what is told and types an answer. */
export interface Person {
  tell(...lines: readonly string[]): void;
  /** What was typed. Undefined when the signal ended the question, or nobody can answer any more. */
  ask(question: string, signal: AbortSignal): Promise<string | undefined>;
}

/** Who sits at this terminal; undefined where nobody does. */
export function personHere(): Person | undefined {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return undefined;
  return {
    tell: (...lines) => void process.stdout.write(`${lines.join("\n")}\n`),
    ask: askHere,
  };
}

async function askHere(question: string, signal: AbortSignal): Promise<string | undefined> {
  if (signal.aborted) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  // The terminal is raw while it is asked, so that Ctrl-C arrives here and not at the program.
  lines.once("SIGINT", () => process.emit("SIGINT", "SIGINT"));
  const closed = new Promise<undefined>((resolve) => lines.once("close", () => resolve(undefined)));
  try {
    const typed = await Promise.race([lines.question(question, { signal }), closed]);
    return typed?.trim();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    lines.close();
  }
}
