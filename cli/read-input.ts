import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { usage } from "./cli-error.ts";
import { withoutLineEnd } from "./secret-from.ts";

/** Standard input to its end, without its last line end. From a terminal one line, which is not shown. */
export async function readSecretInput(prompt: string): Promise<string> {
  const given = process.stdin.isTTY ? await readHidden(prompt) : withoutLineEnd(await text(process.stdin));
  if (given === "")
    throw usage(
      "Standard input held nothing",
      "Send the secret there, as in `… < FILE`, or run the command in a terminal and type it.",
    );
  return given;
}

function readHidden(prompt: string): Promise<string> {
  const mute = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: mute, terminal: true });
  process.stderr.write(prompt);
  return new Promise((resolve, reject) => {
    lines.once("line", (line) => {
      process.stderr.write("\n");
      lines.close();
      resolve(line);
    });
    lines.once("SIGINT", () => {
      lines.close();
      reject(usage("Nothing was given", "Run it again."));
    });
  });
}

/**
 * Lines of a terminal until Ctrl-D, none of which is shown. Not until an empty one: what was pasted may have some, and the
 * rest of it would go to the shell.
 */
export function readHiddenLines(prompt: string): Promise<string> {
  const mute = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: mute, terminal: true, historySize: 0 });
  const read: string[] = [];
  process.stderr.write(`${prompt}\n`);
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      read.push(line);
      process.stderr.write(`\r${read.length} ${read.length === 1 ? "line" : "lines"} taken; Ctrl-D when that is all.`);
    });
    lines.once("SIGINT", () => {
      reject(usage("Nothing was given", "Run it again."));
      lines.close();
    });
    lines.once("close", () => {
      process.stderr.write("\n");
      resolve(read.join("\n"));
    });
  });
}

/** Asks a person at a terminal. */
export function confirm(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    lines.question(`${question} [y/N] `, (answer) => {
      lines.close();
      resolve(/^y(es)?$/i.test(answer.trim()));
    });
    lines.once("SIGINT", () => {
      lines.close();
      resolve(false);
    });
  });
}
