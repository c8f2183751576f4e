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
