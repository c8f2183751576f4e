import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../bin/rekey", import.meta.url));
/** util-linux: runs a command in a terminal of its own. Its options are Linux's. */
const program = "/usr/bin/script";

export const hasTerminal = process.platform === "linux" && isThere();

function isThere(): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface Terminal {
  /** Resolves with all that was shown, once this text is in what came since the last call. */
  until(text: string): Promise<string>;
  type(line: string): void;
  /** Keys as the terminal sends them. */
  send(keys: string): void;
  readonly ended: Promise<{ readonly code: number | null; readonly shown: string }>;
}

/** Runs `rekey` as somebody at a terminal of that size does. */
export function atTerminal(args: readonly string[], env: Readonly<Record<string, string>>, columns = 80): Terminal {
  const command = `stty cols ${columns} rows 24; exec ${[process.execPath, bin, ...args].map(quoted).join(" ")}`;
  const child = spawn(program, ["-qec", command, "/dev/null"], { env: { ...process.env, ...env, TERM: "xterm" } });
  let shown = "";
  let read = 0;
  const looks = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    for (const look of looks) look();
  });
  const ended = new Promise<{ code: number | null; shown: string }>((resolve) => {
    child.once("close", (code) => resolve({ code, shown }));
  });
  return {
    ended,
    type: (line) => void child.stdin.write(`${line}\r`),
    send: (keys) => void child.stdin.write(keys),
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const at = shown.indexOf(text, read);
          if (at < 0) return;
          read = at + text.length;
          looks.delete(look);
          resolve(shown);
        };
        looks.add(look);
        look();
        void ended.then(() => reject(new Error(`it ended before "${text}": ${shown}`)));
      }),
  };
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
