import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hasTemporal, temporalProgram } from "../test/harness/temporal-program.ts";
import { isAlive, isGoneWithin } from "./processes.ts";
import { startTemporal, type RunningTemporal, type TemporalOptions } from "./temporal.ts";
import { needs } from "../test/harness/needs.ts";

let root: string;
const started: RunningTemporal[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "rekey-temporal-"));
});

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
  await rm(root, { recursive: true, force: true });
});

async function start(options: Partial<TemporalOptions> = {}): Promise<RunningTemporal> {
  const server = await startTemporal({ folder: join(root, "temporal"), binary: temporalProgram, ...options });
  started.push(server);
  return server;
}

/** Asks by the vendor's own program, so that nothing of ours says that ours works. */
async function ask(server: RunningTemporal, ...args: string[]): Promise<string> {
  const all = [...args, "--address", server.address, "--disable-config-file", "--disable-config-env", "-o", "json"];
  return (await promisify(execFile)(temporalProgram, all)).stdout;
}

const startWorkflow = (server: RunningTemporal, id: string) =>
  ask(server, "workflow", "start", "--type", "any", "--task-queue", "any", "--workflow-id", id);

/** Addresses that the process listens on, as the kernel writes them: hexadecimal, bytes of the address reversed. */
async function listening(pid: number): Promise<string[]> {
  const mine = new Set<string>();
  for (const file of await readdir(`/proc/${pid}/fd`))
    mine.add(await readlink(`/proc/${pid}/fd/${file}`).catch(() => ""));
  const found: string[] = [];
  for (const table of ["tcp", "tcp6"]) {
    for (const line of (await readFile(`/proc/net/${table}`, "utf8").catch(() => "")).split("\n").slice(1)) {
      const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === "0A" && mine.has(`socket:[${inode}]`)) found.push(local.split(":")[0] ?? "");
    }
  }
  return found;
}

/** A process of ours that starts a server and is then killed without warning. */
async function crashAfterStart(folder: string): Promise<number> {
  const script = `import { startTemporal } from ${JSON.stringify(join(import.meta.dirname, "temporal.ts"))};
    const server = await startTemporal({ folder: ${JSON.stringify(folder)}, binary: ${JSON.stringify(temporalProgram)} });
    process.stdout.write(server.pid + "\\n");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = await new Promise<number>((resolve, reject) => {
    child.stdout.once("data", (line: Buffer) => resolve(Number(line.toString())));
    child.once("close", () => reject(new Error("The process ended before its server ran.")));
  });
  child.kill("SIGKILL");
  return pid;
}

describe.skipIf(!hasTemporal)("a Temporal dev server", () => {
  test("listens on the loopback address only", async (context) => {
    needs(context, process.platform === "linux", "reads /proc, which only Linux has");
    const { pid } = await start();
    const addresses = await listening(pid);
    expect(addresses.length).toBeGreaterThan(0);
    expect(new Set(addresses)).toEqual(new Set(["0100007F"]));
  });

  test("keeps its folder to itself, and stops without a trace", async () => {
    const server = await start();
    expect((await stat(join(root, "temporal"))).mode & 0o777).toBe(0o700);
    await server.stop();
    expect(await isAlive(server.pid)).toBe(false);
    await expect(ask(server, "operator", "namespace", "list")).rejects.toThrow();
  });

  test("keeps its histories and its port over a stop", async () => {
    const first = await start();
    await startWorkflow(first, "kept");
    await first.stop();
    const second = await start();
    expect(second.address).toBe(first.address);
    expect(await ask(second, "workflow", "describe", "--workflow-id", "kept")).toContain('"kept"');
  });

  test("invariant 14: keeps what it acknowledged when it is killed", async () => {
    const first = await start();
    await startWorkflow(first, "acknowledged");
    process.kill(first.pid, "SIGKILL");
    expect(await isGoneWithin(first.pid, 5000)).toBe(true);
    const second = await start();
    expect(await ask(second, "workflow", "describe", "--workflow-id", "acknowledged")).toContain('"acknowledged"');
  });

  test("is adopted when the process that started it was killed", async () => {
    const pid = await crashAfterStart(join(root, "temporal"));
    const lines: string[] = [];
    const server = await start({ log: (line) => lines.push(line) });
    expect(server.pid).toBe(pid);
    expect(lines.join()).toContain("adopted");
    await server.stop();
    expect(await isAlive(pid)).toBe(false);
  });

  test("is found again when the crash came before its record", async (context) => {
    needs(context, process.platform === "linux", "finds it by /proc, which only Linux has");
    const pid = await crashAfterStart(join(root, "temporal"));
    await rm(join(root, "temporal", "server.json"));
    expect((await start()).pid).toBe(pid);
  });

  test("that hangs is replaced", async () => {
    const first = await start();
    process.kill(first.pid, "SIGSTOP");
    const second = await start();
    expect(second.pid).not.toBe(first.pid);
    expect(await isAlive(first.pid)).toBe(false);
  });

  test("is one when two start it at once on one folder", async () => {
    const [one, other] = await Promise.all([start(), start()]);
    expect(one.pid).toBe(other.pid);
  });

  test("runs beside another in its own folder", async () => {
    const [one, other] = await Promise.all([start({ folder: join(root, "a") }), start({ folder: join(root, "b") })]);
    expect(one.pid).not.toBe(other.pid);
    await startWorkflow(one, "only-here");
    await expect(ask(other, "workflow", "describe", "--workflow-id", "only-here")).rejects.toThrow();
  });

  test("works in a folder with any name, also a long one, and writes nowhere else", async () => {
    const folder = join(root, "a b?mode=memory#c%20d'e", "long".repeat(40));
    const server = await start({ folder });
    await server.stop();
    expect(await readdir(root)).toEqual(["a b?mode=memory#c%20d'e"]);
    expect(await readdir(folder)).toContain("temporal.db");
  });

  test("takes another port when a stranger has its former one", async () => {
    const first = await start();
    await first.stop();
    const port = Number(first.address.split(":")[1]);
    const stranger = createServer().listen(port, "127.0.0.1");
    try {
      const second = await start();
      expect(second.address).not.toBe(first.address);
    } finally {
      stranger.close();
    }
  });

  test("is not mistaken for another one that has its former port", async () => {
    const other = await start({ folder: join(root, "other") });
    const port = Number(other.address.split(":")[1]);
    await mkdir(join(root, "temporal"));
    await writeFile(join(root, "temporal", "server.json"), JSON.stringify({ pid: 1, port }));
    const server = await start();
    expect(server.address).not.toBe(other.address);
    expect(server.pid).not.toBe(other.pid);
  });

  test("that cannot have the port it was told says so and leaves nothing running", async () => {
    const stranger = createServer();
    const port = await new Promise<number>((resolve) =>
      stranger.listen(0, "127.0.0.1", () => {
        const address = stranger.address();
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      }),
    );
    try {
      await expect(start({ port })).rejects.toThrow(/did not start\. Its log .*temporal\.log ends with/);
      const { pid } = JSON.parse(await readFile(join(root, "temporal", "server.json"), "utf8")) as { pid: number };
      expect(await isAlive(pid)).toBe(false);
    } finally {
      stranger.close();
    }
  });

  test("is not stopped by number alone once its number belongs to a stranger", async () => {
    const server = await start();
    process.kill(server.pid, "SIGKILL");
    await isGoneWithin(server.pid, 5000);
    await expect(server.stop()).resolves.toBeUndefined();
  });
});

test("a program that cannot be started is named", async () => {
  const binary = join(root, "not-temporal");
  await writeFile(binary, "");
  await expect(startTemporal({ folder: join(root, "t"), binary })).rejects.toThrow(/not-temporal cannot be started/);
});

test("a program that ends at once is told with what it wrote", async () => {
  const binary = join(root, "broken");
  await writeFile(binary, "#!/bin/sh\necho it will not do; exit 1\n", { mode: 0o755 });
  await expect(startTemporal({ folder: join(root, "t"), binary })).rejects.toThrow(/did not start[^]*it will not do/);
});
