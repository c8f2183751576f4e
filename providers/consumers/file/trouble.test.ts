import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, linkSync, writeFileSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeFileSystem, type FileSystem } from "./file-system.ts";
import { deliveryOf, startTrial, type Trial, type TrialOptions } from "./trial.ts";
import { needs } from "../../../test/harness/needs.ts";

const isRoot = process.geteuid?.() === 0;
const start = "# mine\nPASSWORD=before\n";

let trial: Trial;
beforeEach(async () => {
  trial = await startTrial(start);
});
afterEach(async () => trial.end());

/** The rights of an ordinary user, for as long as the work takes. */
async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  if (!isRoot) return work();
  chownSync(trial.folder, 65_534, 65_534);
  process.setegid?.(65_534);
  process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).sort();
}

/** Preflight says it beforehand, the delivery refuses with it, and neither leaves a trace. */
async function expectRefusal(code: string, options: TrialOptions = {}): Promise<void> {
  const names = await namesIn(trial.folder);
  const session = await trial.open(options);
  const findings = await session.preflight();
  expect(findings.map((finding) => finding.code)).toContain(code);
  for (const { detail } of findings) expect(detail).toMatch(/^[A-Z/].{20,}$/);
  await expect(session.deliver(deliveryOf(1, "next"))).rejects.toMatchObject({ code });
  expect(await namesIn(trial.folder)).toEqual(names);
}

/** The same for what the file holds. A delivery looks at that in its turn, so that the side file names it. */
async function expectContentRefusal(code: string, options: TrialOptions = {}): Promise<void> {
  const before = await readFile(trial.path);
  const session = await trial.open(options);
  expect((await session.preflight()).map((finding) => finding.code)).toEqual([code]);
  expect(await trial.sideNumber()).toBeUndefined();
  await expect(session.deliver(deliveryOf(1, "next"))).rejects.toMatchObject({ code });
  await expect(session.observe()).rejects.toMatchObject({ code });
  expect((await readFile(trial.path)).equals(before)).toBe(true);
  expect(await trial.leftovers()).toEqual([]);
}

describe("invariant 16: a place where nothing may be written is said before, and refused", () => {
  it("a path below no root, or only beside one", async () => {
    await expectRefusal("target_refused", { allowed: { roots: [] } });
    const [said] = await (await trial.open({ allowed: { roots: ["/srv/elsewhere"] } })).preflight();
    expect(said?.detail).toContain(trial.path);
    expect(said?.detail).toContain("names: /srv/elsewhere. Add its folder there");
    await expectRefusal("target_refused", { allowed: { roots: [trial.folder.slice(0, -1)] } });
    await expectRefusal("target_refused", { allowed: { roots: [trial.path] } });
    await expectRefusal("target_refused", { allowed: { roots: ["relative"] } });
  });

  it("a link in place of the file", async () => {
    const real = join(trial.folder, "real.env");
    writeFileSync(real, start);
    symlinkSync(real, join(trial.folder, "link.env"));
    await expectRefusal("target_refused", { config: { path: join(trial.folder, "link.env") } });
    expect(readFileSync(real, "utf8")).toBe(start);
    // The second line: if the link came after the look.
    await expect(nodeFileSystem.read(join(trial.folder, "link.env"))).rejects.toMatchObject({ code: "ELOOP" });
    await expect(
      nodeFileSystem.replace(real, join(trial.folder, "link.env"), Buffer.from(start)),
    ).rejects.toMatchObject({ code: "ELOOP" });
  });

  it("a link on the way", async () => {
    mkdirSync(join(trial.folder, "real"), { mode: 0o700 });
    symlinkSync(join(trial.folder, "real"), join(trial.folder, "way"));
    await expectRefusal("target_refused", { config: { path: join(trial.folder, "way", "app.env") } });
  });

  it.each([0o777, 0o1777, 0o770, 0o720])("a folder of mode %o, which others can write", async (mode) => {
    chmodSync(trial.folder, mode);
    await expectRefusal("target_refused");
  });

  it("a folder below the root that others can write, though the root is safe", async () => {
    mkdirSync(join(trial.folder, "open"));
    chmodSync(join(trial.folder, "open"), 0o777);
    await expectRefusal("target_refused", { config: { path: join(trial.folder, "open", "app.env") } });
  });

  it("a folder that is not there", async () => {
    await expectRefusal("target_unreachable", { config: { path: join(trial.folder, "none", "app.env") } });
  });

  it("a folder or a named pipe in place of the file, without waiting for the pipe's writer", async () => {
    mkdirSync(join(trial.folder, "folder"));
    execFileSync("mkfifo", [join(trial.folder, "pipe")]);
    for (const name of ["folder", "pipe"])
      await expectRefusal("target_refused", { config: { path: join(trial.folder, name) } });
    await expect(nodeFileSystem.read(join(trial.folder, "pipe"))).rejects.toMatchObject({ code: "target_refused" });
  });

  it("a file with a second name, under which the old value would stay", async () => {
    linkSync(trial.path, join(trial.folder, "second.env"));
    await expectRefusal("target_refused");
  });

  it("a file that everybody can write", async () => {
    chmodSync(trial.path, 0o666);
    await expectRefusal("target_refused");
  });

  it("a file of another user, when the worker is an ordinary one", async (context) => {
    needs(context, isRoot, "needs root, to make a file of somebody else");
    chownSync(trial.path, 12_345, 65_534);
    await asOrdinaryUser(async () => expectRefusal("target_refused"));
  });

  it("a file of a group that the worker is not in", async (context) => {
    needs(context, isRoot, "needs root, to make a file of another group");
    chownSync(trial.path, 65_534, 12_345);
    await asOrdinaryUser(async () => expectRefusal("target_refused"));
  });

  it("a folder of another ordinary user, who could swap the file", async (context) => {
    needs(context, isRoot, "needs root, to make a folder of somebody else");
    chownSync(trial.folder, 12_345, 12_345);
    await expectRefusal("target_refused");
  });

  it("a file of more than 1 MiB, or that would become one", async () => {
    writeFileSync(trial.path, `${start}#`.padEnd(1_048_577, "x"));
    await expectContentRefusal("target_refused");
    writeFileSync(trial.path, `${start}#`.padEnd(1_048_576, "x"));
    const session = await trial.open();
    const longer = session.deliver(deliveryOf(1, "a-longer-value-than-before"));
    await expect(longer).rejects.toMatchObject({ code: "target_refused" });
    await session.deliver(deliveryOf(2, "same-6"));
    expect((await stat(trial.path)).size).toBe(1_048_576);
  });

  it("a file that is not UTF-8, whose bytes would not come back", async () => {
    writeFileSync(trial.path, Buffer.concat([Buffer.from(start), Buffer.from([0x23, 0xff, 0xfe, 0x0a])]));
    await expectContentRefusal("target_malformed");
  });

  it("a comment of others inside our value, which would go with it", async () => {
    writeFileSync(trial.path, "# mine\nPASSWORD: | # theirs\n  before\n");
    const session = await trial.open({ config: { format: "yaml" } });
    expect((await session.preflight()).map(({ code }) => code)).toEqual(["target_malformed"]);
    await expect(session.deliver(deliveryOf(1, "next"))).rejects.toMatchObject({ code: "target_malformed" });
    expect(await trial.text()).toContain("# theirs");
  });

  it("content that is not what was registered", async () => {
    await expectContentRefusal("target_malformed", { config: { format: "json" } });
  });

  it("a name that leaves no room for the names beside it", async () => {
    await expectRefusal("target_refused", { config: { path: join(trial.folder, "n".repeat(200)) } });
  });

  it("a reload that the settings do not have, even by a name that every object inherits", async () => {
    for (const reload of ["app", "constructor"]) {
      const findings = await (await trial.open({ config: { reload } })).preflight();
      expect(findings.map(({ code }) => code)).toEqual(["reload_failed"]);
    }
  });

  it("a folder that the worker may not write", async () => {
    chmodSync(trial.folder, 0o500);
    if (isRoot) chownSync(trial.path, 65_534, 65_534);
    await asOrdinaryUser(async () => {
      const session = await trial.open();
      // The system answers by the real user, which is still root in this process; the read-only disk below shows it too.
      if (!isRoot) expect((await session.preflight()).map(({ code }) => code)).toEqual(["target_read_only"]);
      await expect(session.deliver(deliveryOf(1, "next"))).rejects.toMatchObject({ code: "target_read_only" });
    });
    chmodSync(trial.folder, 0o700);
    expect(await trial.text()).toBe(start);
  });
});

describe("what a worker that runs as root keeps", () => {
  it("owner, group and mode", async (context) => {
    needs(context, isRoot, "needs root, to give files away");
    chmodSync(trial.path, 0o640);
    chownSync(trial.path, 12_345, 12_346);
    const session = await trial.open();
    expect(await session.preflight()).toEqual([]);
    await session.deliver(deliveryOf(1, "next"));
    expect(await stat(trial.path)).toMatchObject({ uid: 12_345, gid: 12_346, mode: 0o100640 });
    expect(await stat(join(trial.folder, ".app.env.rekey"))).toMatchObject({ uid: 0, gid: 0, mode: 0o100600 });
  });
});

/** Fails its nth call with an effect or a look, as a disk in trouble does. `stage` leaves half a file behind first. */
function failingAt(call: number, code: string): { readonly fs: FileSystem; count(): number } {
  let count = 0;
  const failure = (): Error => Object.assign(new Error(`${code}: no such luck, /secret/path`), { code });
  const fs = new Proxy(nodeFileSystem, {
    get(target, name: keyof FileSystem) {
      if (name === "uid" || name === "gid" || name === "groups") return target[name];
      return async (...args: never[]) => {
        if (++count === call) {
          if (name === "stage") writeFileSync(String(args[0]), "half");
          throw failure();
        }
        return (target[name] as (...given: never[]) => unknown)(...args);
      };
    },
  });
  return { fs, count: () => count };
}

describe("a disk that fails in the middle of anything", () => {
  it.each([
    ["ENOSPC", "TransientError", "target_full"],
    ["EDQUOT", "TransientError", "target_full"],
    ["EIO", "TransientError", "target_unreachable"],
    ["EROFS", "OperatorNeededError", "target_read_only"],
    ["EACCES", "OperatorNeededError", "target_read_only"],
    ["EPERM", "PermanentError", "target_refused"],
    ["EBUSY", "PermanentError", "target_refused"],
  ])(
    "invariant 9: %s ends as %s, the file is the old one or the new one, and the next delivery succeeds",
    async (errno, name, code) => {
      for (let call = 1; ; call++) {
        writeFileSync(trial.path, start);
        const failing = failingAt(call, errno);
        const number = call * 2;
        const outcome = await (await trial.open({ fs: failing.fs })).deliver(deliveryOf(number, "next")).then(
          () => undefined,
          (error: Error) => error,
        );
        expect([start, start.replace("before", "next")]).toContain(await trial.text());
        if (failing.count() < call) {
          expect(outcome).toBeUndefined();
          break;
        }
        // A failure to clean up is not reported over what it cleans up after; here nothing else went wrong.
        if (outcome !== undefined) {
          expect(outcome).toMatchObject({ name, code });
          expect(String(outcome)).not.toContain("/secret/path");
        }
        await (await trial.open()).deliver(deliveryOf(number + 1, "after"));
        expect(await trial.text()).toBe(start.replace("before", "after"));
        expect(await trial.leftovers()).toEqual([]);
      }
    },
  );

  it("invariant 13: a disk that cuts what it is given is noticed before the file is replaced", async () => {
    const cutting: FileSystem = {
      ...nodeFileSystem,
      stage: async (path, bytes, ownership) =>
        nodeFileSystem.stage(path, path.endsWith(".value") ? bytes.subarray(0, bytes.length / 2) : bytes, ownership),
    };
    await expect((await trial.open({ fs: cutting })).deliver(deliveryOf(1, "next"))).rejects.toMatchObject({
      name: "TransientError",
      code: "target_unreachable",
    });
    expect(await trial.text()).toBe(start);
    expect(await trial.leftovers()).toEqual([]);
  });
});

describe("real mounts", () => {
  const mounted: string[] = [];
  const mount = (...args: readonly string[]): void => {
    execFileSync("mount", args, { stdio: "ignore" });
    mounted.push(args.at(-1) ?? "");
  };
  afterEach(() => {
    for (const each of mounted.splice(0).toReversed()) execFileSync("umount", [each], { stdio: "ignore" });
  });

  /** A file on a file system of its own, of 64 KiB; undefined where none can be mounted. */
  function smallDisk(): string | undefined {
    const folder = join(trial.folder, "disk");
    mkdirSync(folder, { mode: 0o700 });
    try {
      mount("-t", "tmpfs", "-o", "size=64k,mode=700", "none", folder);
    } catch {
      return undefined;
    }
    writeFileSync(join(folder, "app.env"), start);
    return folder;
  }

  it("a full disk is found beforehand, fails as such, leaves the file whole, and works again with room", async (context) => {
    const folder = smallDisk();
    needs(context, folder !== undefined, "needs the right to mount a tmpfs");
    const path = join(folder, "app.env");
    const filler = join(folder, "filler");
    expect(() => writeFileSync(filler, Buffer.alloc(1_000_000))).toThrow("ENOSPC");
    const session = await trial.open({ config: { path } });
    expect((await session.preflight()).map(({ code }) => code)).toEqual(["target_full"]);
    await expect(session.deliver(deliveryOf(1, "next"))).rejects.toMatchObject({
      name: "TransientError",
      code: "target_full",
    });
    expect(await readFile(path, "utf8")).toBe(start);
    expect(await namesIn(folder)).toEqual(["app.env", "filler"]);
    writeFileSync(filler, "");
    await session.deliver(deliveryOf(2, "next"));
    expect(await readFile(path, "utf8")).toBe(start.replace("before", "next"));
  });

  it("a disk that is full except for the side file leaves the file whole", async (context) => {
    const folder = smallDisk();
    needs(context, folder !== undefined, "needs the right to mount a tmpfs");
    const path = join(folder, "app.env");
    writeFileSync(join(folder, "filler"), Buffer.alloc(65_536 - 2 * 4096));
    const session = await trial.open({ config: { path } });
    await expect(session.deliver(deliveryOf(1, "next"))).rejects.toMatchObject({ code: "target_full" });
    expect(await readFile(path, "utf8")).toBe(start);
    expect(await namesIn(folder)).toEqual([".app.env.rekey", "app.env", "filler"]);
  });

  it("a read-only disk is found beforehand and refused", async (context) => {
    const folder = smallDisk();
    needs(context, folder !== undefined, "needs the right to mount a tmpfs");
    execFileSync("mount", ["-o", "remount,ro", folder], { stdio: "ignore" });
    await expectRefusal("target_read_only", { config: { path: join(folder, "app.env") } });
    expect(await namesIn(folder)).toEqual(["app.env"]);
  });

  it("a file that is a mount of its own cannot be replaced, and says so", async (context) => {
    const folder = smallDisk();
    needs(context, folder !== undefined, "needs the right to mount a tmpfs");
    mount("--bind", join(folder, "app.env"), trial.path);
    await expect((await trial.open()).deliver(deliveryOf(1, "next"))).rejects.toMatchObject({ code: "target_refused" });
    expect(await trial.text()).toBe(start);
    expect(await trial.leftovers()).toEqual(["disk"]);
  });
});
