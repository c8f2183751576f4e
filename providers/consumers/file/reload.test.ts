import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ReloadEntry } from "../../contract/consumer.ts";
import { startTrial, type Trial } from "./trial.ts";
import { needs } from "../../../test/harness/needs.ts";

const isRoot = process.geteuid?.() === 0;

let trial: Trial;
const children: ChildProcess[] = [];
beforeEach(async () => {
  trial = await startTrial("PASSWORD=before\n");
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await trial.end();
});

function stateOf(pid: number): string {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "unknown";
  } catch {
    return "gone";
  }
}

async function reloadBy(entry: ReloadEntry, signal?: AbortSignal): Promise<void> {
  const session = await trial.open({
    config: { reload: "app" },
    allowed: { reloads: { app: entry } },
    ...(signal === undefined ? {} : { signal }),
  });
  await session.reload?.();
}

async function refusal(entry: ReloadEntry): Promise<string> {
  const error: unknown = await reloadBy(entry).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: "OperatorNeededError", code: "reload_failed" });
  return (error as { readonly detail: string }).detail;
}

it("a name that the settings do not have is refused, whatever every object inherits", async () => {
  for (const name of ["app", "constructor", "__proto__"])
    await expect((await trial.open({ config: { reload: name } })).reload?.()).rejects.toMatchObject({
      code: "reload_failed",
    });
});

describe("a signal to the process of a pid file", () => {
  let pidFile: string;
  beforeEach(() => {
    pidFile = join(trial.folder, "app.pid");
  });

  /** An application that prints what it is sent. */
  async function application(uid?: number): Promise<ChildProcess> {
    const script = 'trap "echo heard" HUP; echo ready; while :; do sleep 30 & wait; kill $!; done';
    const child = spawn("/bin/sh", ["-c", script], {
      stdio: ["ignore", "pipe", "ignore"],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    children.push(child);
    if (child.stdout !== null) await once(child.stdout, "data");
    return child;
  }

  async function heard(child: ChildProcess): Promise<string> {
    if (child.stdout === null) return "";
    const [text] = (await once(child.stdout, "data")) as [Buffer];
    return text.toString();
  }

  it("arrives", async () => {
    const child = await application();
    writeFileSync(pidFile, `${child.pid}\n`, { mode: 0o644 });
    const answer = heard(child);
    await reloadBy({ signal: "SIGHUP", pidFile });
    expect(await answer).toBe("heard\n");
  });

  it.each(["", "0", "1", "-1", "-4242", "12 13", "abc", "0x10", "1e3", "4.5", String(process.pid), "9".repeat(80)])(
    "is not sent to what %j names",
    async (text) => {
      writeFileSync(pidFile, text, { mode: 0o644 });
      await refusal({ signal: "SIGHUP", pidFile });
    },
  );

  it("says that the process is not running", async () => {
    const child = await application();
    child.kill("SIGKILL");
    await once(child, "close");
    writeFileSync(pidFile, String(child.pid), { mode: 0o644 });
    expect(await refusal({ signal: "SIGHUP", pidFile })).toMatch(/not running/);
  });

  it("is not sent by a pid file that others can write, or that is a link, a folder or missing", async () => {
    const child = await application();
    writeFileSync(pidFile, String(child.pid));
    for (const mode of [0o666, 0o664, 0o622]) {
      chmodSync(pidFile, mode);
      expect(await refusal({ signal: "SIGHUP", pidFile })).toMatch(/written by others/);
    }
    chmodSync(pidFile, 0o644);
    symlinkSync(pidFile, join(trial.folder, "link.pid"));
    expect(await refusal({ signal: "SIGHUP", pidFile: join(trial.folder, "link.pid") })).toMatch(/is a link/);
    mkdirSync(join(trial.folder, "folder.pid"));
    expect(await refusal({ signal: "SIGHUP", pidFile: join(trial.folder, "folder.pid") })).toMatch(/not a plain file/);
    expect(await refusal({ signal: "SIGHUP", pidFile: join(trial.folder, "none.pid") })).toMatch(/cannot be opened/);
    expect(await refusal({ signal: "SIGHUP", pidFile: "app.pid" })).toMatch(/not an absolute path/);
  });

  it("does not let an application direct a worker that runs as root at the process of somebody else", async (context) => {
    needs(context, isRoot, "needs root, to start processes of two users");
    const [own, other] = [await application(12_345), await application()];
    writeFileSync(pidFile, String(own.pid), { mode: 0o644 });
    chownSync(pidFile, 12_345, 12_345);
    const answer = heard(own);
    await reloadBy({ signal: "SIGHUP", pidFile });
    expect(await answer).toBe("heard\n");
    writeFileSync(pidFile, String(other.pid));
    expect(await refusal({ signal: "SIGHUP", pidFile })).toMatch(/does not belong/);
  });
});

describe("a command of the settings", () => {
  const timeoutMs = 20_000;
  let seen: string;
  beforeEach(() => {
    seen = join(trial.folder, "seen");
  });

  it("runs without a shell, with an empty environment, in the root folder", async () => {
    const script = 'printf "%s|" "$1" "$(pwd)" > "$0"; env >> "$0"';
    await reloadBy({ argv: ["/bin/sh", "-c", script, seen, "$(id); *"], timeoutMs });
    const text = readFileSync(seen, "utf8");
    expect(text).toMatch(/^\$\(id\); \*\|\/\|/);
    // The shell of this test sets these itself.
    const names = [...text.slice(text.lastIndexOf("|") + 1).matchAll(/^(\w+)=/gm)].map((found) => found[1]);
    expect(names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name ?? ""))).toEqual([]);
  });

  it("runs as its own user, without a group of the worker", async (context) => {
    needs(context, isRoot, "needs root, to become somebody else");
    writeFileSync(seen, "");
    chownSync(seen, 12_345, 12_345);
    chmodSync(trial.folder, 0o711);
    const argv = ["/bin/sh", "-c", 'id -u > "$0"; id -G >> "$0"', seen] as const;
    await reloadBy({ argv, uid: 12_345, timeoutMs });
    expect(readFileSync(seen, "utf8")).toBe("12345\n12345\n");
    await reloadBy({ argv, uid: 12_345, gid: 12_346, timeoutMs });
    expect(readFileSync(seen, "utf8")).toBe("12345\n12346\n");
  });

  it("that fails is said by its code, and nothing that it prints", async () => {
    const detail = await refusal({ argv: ["/bin/sh", "-c", "echo leaked; echo leaked >&2; exit 7"], timeoutMs });
    expect(detail).toMatch(/code 7/);
    expect(detail).not.toContain("leaked");
    expect(await refusal({ argv: ["/bin/sh", "-c", "kill -9 $$"], timeoutMs })).toMatch(/a signal/);
  });

  it("must be absolute, and be there", async () => {
    expect(await refusal({ argv: ["sh", "-c", "true"], timeoutMs })).toMatch(/not an absolute path/);
    expect(await refusal({ argv: [join(trial.folder, "none")], timeoutMs })).toMatch(/could not be started/);
    expect(await refusal({ argv: [trial.path], timeoutMs })).toMatch(/could not be started/);
    expect(await refusal({ argv: ["/bin/sh", "a\0b"], timeoutMs })).toMatch(/could not be started/);
  });

  it("ends at its time limit, with what it started", async () => {
    const script = 'sleep 1000 & echo $! > "$0"; wait';
    const ended = await refusal({ argv: ["/bin/sh", "-c", script, seen], timeoutMs: 1000 });
    expect(ended).toMatch(/longer than 1000 ms/);
    const pid = Number(readFileSync(seen, "utf8"));
    // The kernel carries out a SIGKILL in its own time; whoever adopts the process may leave it as a zombie.
    await vi.waitFor(() => expect(stateOf(pid)).toMatch(/^[ZX]$|^gone$/), { timeout: 20_000 });
  });

  it("ends when it is cancelled, with the caller's own reason", async () => {
    const abort = new AbortController();
    const reason = new Error("cancelled by the caller");
    const running = reloadBy({ argv: ["/bin/sleep", "1000"], timeoutMs }, abort.signal);
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
  });
});
