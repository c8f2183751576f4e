import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nodeFileSystem, type FileSystem } from "./file-system.ts";
import { deliveryOf, startTrial, type Trial } from "./trial.ts";

interface Stopped {
  readonly fs: FileSystem;
  /** Settles when the call it should stop before comes. */
  readonly reached: Promise<void>;
  resume(): void;
}

/** The real file system, on which a writer stands still before its nth call, as by SIGSTOP. */
function stoppedBefore(call: number): Stopped {
  let count = 0;
  const reached = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  const fs = new Proxy(nodeFileSystem, {
    get: (target, name: keyof FileSystem) =>
      name === "uid" || name === "gid" || name === "groups"
        ? target[name]
        : async (...args: never[]) => {
            if (++count === call) {
              reached.resolve();
              await resumed.promise;
            }
            return (target[name] as (...given: never[]) => unknown)(...args);
          },
  });
  return { fs, reached: reached.promise, resume: () => resumed.resolve() };
}

const start = "# mine\nPASSWORD=before\nTOKEN=t0\nLAST=1";
const cases = {
  "a newer delivery of the same key": { number: 6, key: "PASSWORD", password: "newer" },
  "a newer delivery of another credential's key": { number: 6, key: "TOKEN", password: "newer" },
  "another try of the same delivery": { number: 5, key: "PASSWORD", password: "older" },
} as const;

describe.each(Object.entries(cases))("a writer that stands still before any of its calls, and %s", (_name, newer) => {
  let trial: Trial;
  beforeEach(async () => {
    trial = await startTrial(start);
  });
  afterEach(async () => trial.end());

  it("invariant 7: cannot act once the other has finished; invariant 12: loses nothing of others", async () => {
    const ends = new Set<string>();
    for (let call = 1; ; call++) {
      await trial.end();
      trial = await startTrial(start);
      const stopped = stoppedBefore(call);
      const { digest } = await (await trial.open()).observe();
      const older = (await trial.open({ fs: stopped.fs })).deliver(deliveryOf(5, "older", digest)).then(
        () => "done",
        (error: { readonly code: string }) => error.code,
      );
      const isThrough = (await Promise.race([stopped.reached, older])) !== undefined;
      const session = await trial.open({ config: { keys: { [newer.key]: "password" } } });
      await session.deliver(deliveryOf(newer.number, newer.password));
      const left = await trial.text();
      stopped.resume();
      const end = await older;
      ends.add(end);
      expect(await trial.text()).toBe(left);
      expect(await trial.sideNumber()).toBe(newer.number);
      expect(await trial.leftovers()).toEqual([]);
      expect(left).toContain(`${newer.key}=${newer.password}\n`);
      expect(left).toMatch(/^# mine\n[^]*LAST=1$/);
      if (newer.number === 5) expect(end).toBe("done");
      if (isThrough) break;
    }
    if (newer.number === 6) expect([...ends].sort()).toEqual(["claim_outdated", "done"]);
  });

  it("invariant 9: a crash before any call leaves the old file or the new one, and the next delivery succeeds", async () => {
    for (let call = 1; ; call++) {
      await trial.end();
      trial = await startTrial(start);
      const crashed = stoppedBefore(call);
      const older = (await trial.open({ fs: crashed.fs })).deliver(deliveryOf(5, "older"));
      const isThrough = (await Promise.race([crashed.reached, older])) !== undefined;
      expect([start, start.replace("before", "older")]).toContain(await trial.text());
      const session = await trial.open({ config: { keys: { [newer.key]: "password" } } });
      await session.deliver(deliveryOf(newer.number, newer.password));
      expect(await trial.text()).toContain(`${newer.key}=${newer.password}\n`);
      expect(await trial.leftovers()).toEqual([]);
      if (isThrough) break;
    }
  });
});

describe("a real process", () => {
  const program = fileURLToPath(new URL("stopping-writer.ts", import.meta.url));

  it.each([
    ["SIGCONT", "claim_outdated"],
    ["SIGKILL", undefined],
  ] as const)(
    "invariant 7: stopped right before the rename, then sent %s after a newer one finished",
    async (signal, end) => {
      const trial = await startTrial("PASSWORD=before\n");
      const child = spawn(process.execPath, [program, trial.folder, trial.path], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      try {
        let printed = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
        await vi.waitFor(() => expect(printed).toBe("stopping\n"), { timeout: 20_000 });
        await vi.waitFor(async () => expect(await readFile(`/proc/${child.pid}/stat`, "utf8")).toMatch(/\) T /), {
          timeout: 20_000,
        });
        expect(await trial.leftovers()).toHaveLength(1);
        await (await trial.open()).deliver(deliveryOf(6, "newer"));
        child.kill(signal);
        await once(child, "close");
        expect(printed).toBe(end === undefined ? "stopping\n" : `stopping\n${end}\n`);
        expect(await trial.text()).toBe("PASSWORD=newer\n");
        expect(await trial.leftovers()).toEqual([]);
      } finally {
        child.kill("SIGKILL");
        await trial.end();
      }
    },
  );
});
