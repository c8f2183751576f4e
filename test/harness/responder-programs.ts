import { spawn, spawnSync, execFile } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);
const responders = join(import.meta.dirname, "../../examples/challenge-responder");
const applications = join(import.meta.dirname, "responder-applications");

/** A fault to plant in a responder: what stands in its source, and what to put there. */
export interface Plant {
  readonly stands: string;
  readonly becomes: string;
}

export interface ResponderLanguage {
  readonly name: string;
  /** Why it cannot be run here. */
  readonly missing: string | undefined;
  /** Puts an application with the responder into an empty folder, and gives the command that runs it. */
  prepare(folder: string, plant?: Plant): Promise<readonly [string, ...string[]]>;
}

async function place(source: string, to: string, plant: Plant | undefined): Promise<void> {
  const text = await readFile(join(responders, source), "utf8");
  if (plant !== undefined && text.split(plant.stands).length !== 2)
    throw new Error(`${source} does not hold "${plant.stands}" once`);
  await writeFile(to, plant === undefined ? text : text.replace(plant.stands, () => plant.becomes));
}

function missing(program: string, argument: string): string | undefined {
  if (spawnSync(program, [argument], { stdio: "ignore" }).status === 0) return undefined;
  return `there is no ${program} here to run the example with`;
}

export const node: ResponderLanguage = {
  name: "Node",
  missing: undefined,
  async prepare(folder, plant) {
    await place("node.mjs", join(folder, "responder.mjs"), plant);
    return [process.execPath, join(applications, "application.mjs"), join(folder, "responder.mjs")];
  },
};

export const python: ResponderLanguage = {
  name: "Python",
  missing: missing("python3", "--version"),
  async prepare(folder, plant) {
    await place("python.py", join(folder, "responder.py"), plant);
    await copyFile(join(applications, "application.py"), join(folder, "application.py"));
    return ["python3", "-B", join(folder, "application.py")];
  },
};

export const go: ResponderLanguage = {
  name: "Go",
  missing: missing("go", "version"),
  async prepare(folder, plant) {
    await mkdir(join(folder, "challenge"));
    await place("go/challenge.go", join(folder, "challenge", "challenge.go"), plant);
    await copyFile(join(applications, "application.go"), join(folder, "application.go"));
    await writeFile(join(folder, "go.mod"), "module application\n\ngo 1.21\n");
    const env = { ...process.env, GOPROXY: "off", GOWORK: "off", GOTOOLCHAIN: "local" };
    await run("go", ["build", "-o", "application", "."], { cwd: folder, env });
    return [join(folder, "application")];
  },
};

export interface Given {
  readonly instance: string;
  readonly consumer: string;
  readonly instanceId: string;
  readonly host: string;
  /** 0 takes any. */
  readonly port: number;
  /** Breaks the one rule: it answers with what stands there, not with what its pool uses. */
  readonly file: string | null;
}

export interface RunningApplication {
  readonly port: number;
  /** Its pool logs in with this from now on; null: with none. */
  use(password: string | null): Promise<void>;
  stop(): Promise<void>;
}

/** Runs a prepared application. Passwords go by standard input: never as an argument or in the environment. */
export async function runApplication(
  [program, ...args]: readonly [string, ...string[]],
  given: Given,
  password: string | null,
): Promise<RunningApplication> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const use = async (text: string | null): Promise<number> => {
    child.stdin.write(`${JSON.stringify(text)}\n`);
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${program} ended by itself`);
    return Number(value);
  };
  child.stdin.write(`${JSON.stringify(given)}\n`);
  return {
    port: await use(password),
    use: async (text) => void (await use(text)),
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
