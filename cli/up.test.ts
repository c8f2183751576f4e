import { readdir, readFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { newFolder, rekey, start } from "../test/harness/cli.ts";

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Every process whose command or parent tells that it belongs to one `up`. */
async function childrenOf(parent: number): Promise<readonly ProcessLine[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return { pid: Number(pid), parent: Number(fields[1]), command: command.replaceAll("\0", " ") };
    }),
  );
  return lines.filter((line) => line.parent === parent);
}

async function workerOf(parent: number, former?: number): Promise<number> {
  for (;;) {
    const found = (await childrenOf(parent)).find(({ pid, command }) => command.includes("worker") && pid !== former);
    if (found !== undefined) return found.pid;
    await sleep(50);
  }
}

const isGone = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

describe("rekey up", () => {
  it("brings everything up, starts a killed worker again, refuses a second one, and leaves nothing behind", async () => {
    const home = await newFolder();
    const env = { REKEY_HOME: home, REKEY_PORT: "0" };
    const running = start(["up"], { env });
    await running.line("Ctrl-C stops everything.");
    const parent = running.process.pid ?? 0;
    const address = (await running.line("Address")).match(/http:\S+/)?.[0] ?? "";
    expect(await running.line("Token")).toContain(join(home, "token"));
    expect(await running.line("Files")).toContain("REKEY_FILE_ROOTS names no folder");

    // The home folder alone tells a command where the API is and with which token.
    expect(await rekey(["credential", "list"], { env: { REKEY_HOME: home } })).toMatchObject({ code: 0 });
    expect((await rekey(["audit", "verify"], { env: { REKEY_HOME: home } })).out).toContain("is whole");

    const second = await rekey(["up"], { env });
    expect(second.code).toBe(1);
    expect(second.err).toContain(address);
    expect(second.err).toMatch(/^ {2}Next: Use that one, stop it, .* --home/m);
    expect(second.out).not.toContain("Stopping");
    expect(JSON.parse((await rekey(["up", "--json"], { env })).err)).toMatchObject({
      error: { code: "home_in_use", title: expect.not.stringContaining("--home") },
    });

    const worker = await workerOf(parent);
    process.kill(worker, "SIGKILL");
    expect(await workerOf(parent, worker)).not.toBe(worker);

    const children = await childrenOf(parent);
    running.process.kill("SIGINT");
    const { code, err } = await running.ended;
    expect([code, err]).toEqual([0, expect.not.stringMatching(/^\s+at /m)]);
    for (const { pid, command } of children) expect([command, isGone(pid)]).toEqual([command, true]);
  });

  it("stops what has started when it is interrupted on the way", async () => {
    const home = await newFolder();
    const running = start(["up"], { env: { REKEY_HOME: home, REKEY_PORT: "0" } });
    for (;;) {
      const children = await childrenOf(running.process.pid ?? 0);
      if (children.length > 0) break;
      await sleep(20);
    }
    running.process.kill("SIGINT");
    const { code, out } = await running.ended;
    expect(code).toBe(0);
    expect(out).not.toContain("rekey is up");
  });

  it("says that the port is taken, and what to do, before it starts a server", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    const home = await newFolder();
    const { code, out, err } = await rekey(["up"], { env: { REKEY_HOME: home, REKEY_PORT: String(port) } });
    taken.close();
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(`Something listens on 127.0.0.1:${port} already`);
    expect(err).toContain("Next: Stop it, or take another port: REKEY_PORT=");
    expect(await readdir(join(home, "postgres"))).toEqual([]);
  });

  it("warns loudly of a failpoint, which is for tests", async () => {
    const env = { REKEY_HOME: await newFolder(), REKEY_FAILPOINT: "issue:B1" };
    const { code, err } = await rekey(["worker"], { env });
    expect([code, err]).toEqual([2, expect.stringMatching(/^rekey: WARNING: REKEY_FAILPOINT is set/)]);
  });

  it("says which setting is wrong before it starts anything", async () => {
    const home = await newFolder();
    const { code, err } = await rekey(["up"], { env: { REKEY_HOME: home, REKEY_PORT: "high" } });
    expect([code, err]).toEqual([2, expect.stringContaining("REKEY_PORT: must be a port number")]);
    expect(await readdir(home)).toEqual([]);
  });
});
