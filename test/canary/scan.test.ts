import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needlesOf } from "./needles.ts";
import { scanFile, scanFolder, scanProcesses, scanText, watchProcesses } from "./scan.ts";

const newMarker = () => `mark-${randomBytes(12).toString("base64url")}/+"é-${randomBytes(12).toString("base64url")}\\%`;
const marker = newMarker();
const needles = needlesOf([newMarker(), marker]);
const half = Math.floor(marker.length / 2);
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-canary-"));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const wide = (text: string) => Buffer.from(text, "utf16le");
const base64 = (text: string) => Buffer.from(text).toString("base64");
const hex = (text: string) => Buffer.from(text).toString("hex");
const lowered = (text: string) => text.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());

const forms: Readonly<Record<string, (text: string) => string | Buffer>> = {
  plain: (text) => text,
  "JSON-escaped": (text) => JSON.stringify({ password: text }),
  "percent-encoded": (text) => `https://a/?p=${encodeURIComponent(text)}`,
  "percent-encoded in small letters": (text) => lowered(encodeURIComponent(text)),
  "percent-encoded byte by byte": (text) => hex(text).replaceAll(/../g, "%$&"),
  "percent-encoded byte by byte in capitals": (text) => hex(text).toUpperCase().replaceAll(/../g, "%$&"),
  hex,
  "hex in capitals": (text) => hex(text).toUpperCase(),
  base64,
  base64url: (text) => Buffer.from(text).toString("base64url"),
  "base64 of a longer text": (text) => base64(`user:${text}@host`),
  "base64 of another longer text": (text) => base64(`users:${text}@host`),
  "base64url of a longer text": (text) => Buffer.from(`user:${text}@host`).toString("base64url"),
  "UTF-16, the low byte first": wide,
  "UTF-16, the high byte first": (text) => wide(text).swap16(),
};
const parts: Readonly<Record<string, string>> = {
  whole: marker,
  "the first half of it": marker.slice(0, half),
  "the second half of it": marker.slice(half),
};
const planted = Object.entries(forms).flatMap(([form, encode]) =>
  Object.entries(parts).map(([part, text]) => ({ form, part, bytes: Buffer.from(encode(text)) })),
);

describe("invariant 6: the scan", () => {
  it.each(planted)("invariant 6: finds a marker as $form, $part, and does not show it", async ({ bytes }) => {
    const path = join(folder, "planted");
    await writeFile(path, Buffer.concat([randomBytes(101), bytes, randomBytes(100)]));
    const found = await scanFile(path, needles);
    await rm(path);
    expect(found.length).toBeGreaterThan(0);
    expect(JSON.stringify(found)).not.toContain(marker.slice(0, 12));
    expect(JSON.stringify(found)).not.toContain(marker.slice(-12));
  });

  it("invariant 6: finds it in a text", () => {
    expect(scanText("an answer", `{"detail":${JSON.stringify(marker)}}`, needles)[0]?.place).toBe("an answer");
  });

  it.each([0, 1, 50, 4 * 1024 * 1024 - 10, 4 * 1024 * 1024, 8 * 1024 * 1024 - 30])(
    "invariant 6: finds it in a file after %i bytes, also across the seam of two pieces",
    async (before) => {
      const path = join(folder, "seam");
      await writeFile(path, Buffer.concat([Buffer.alloc(before, 1), Buffer.from(marker)]));
      expect(new Set((await scanFile(path, needles)).map(({ form }) => form.split(", ")[1]))).toEqual(
        new Set(["first half", "second half"]),
      );
      await rm(path);
    },
  );

  it("invariant 6: finds it in a folder below, but for the places that may hold it", async () => {
    const inner = join(folder, "a", "b");
    await mkdir(inner, { recursive: true });
    await writeFile(join(inner, "leak"), marker);
    expect(await scanFolder(folder, needles)).not.toEqual([]);
    expect(await scanFolder(folder, needles, [{ path: join(inner, "leak"), why: "test" }])).toEqual([]);
    await rm(join(folder, "a"), { recursive: true });
  });

  it("invariant 6: finds it in the name of a file and in what a link names, and does not show it", async () => {
    const bare = randomBytes(24).toString("base64url");
    const inner = join(folder, "names");
    await mkdir(inner);
    await writeFile(join(inner, bare), "");
    const byName = await scanFolder(inner, needlesOf([bare]));
    await rm(join(inner, bare));
    await symlink(`/nowhere/${bare}`, join(inner, "link"));
    const byLink = await scanFolder(inner, needlesOf([bare]));
    for (const found of [byName, byLink]) {
      expect(found).not.toEqual([]);
      expect(JSON.stringify(found)).not.toContain(bare.slice(0, 12));
    }
  });

  it("invariant 6: a file that cannot be read has not been looked at", async () => {
    await expect(scanFile(folder, needles)).rejects.toMatchObject({ code: "EISDIR" });
    await expect(scanFolder(join("/proc/self/mem"), needles)).rejects.toMatchObject({ code: "ENOTDIR" });
  });

  it.each(["cmdline", "environ"])("invariant 6: finds it in a process's %s, also when that has ended", async (part) => {
    const child = spawn(
      process.execPath,
      ["-e", "setInterval(() => {}, 1000); console.log('up')", ...(part === "cmdline" ? [marker] : [])],
      { env: part === "environ" ? { LEAK: marker } : {} },
    );
    const ended = once(child, "exit");
    await once(child.stdout, "data");
    const watch = watchProcesses();
    const now = await scanProcesses(needles);
    await watch.stop();
    child.kill("SIGKILL");
    await ended;
    for (const found of [now, watch.scan(needles)])
      expect(new Set(found.map(({ place }) => place))).toEqual(new Set([`/proc/…/${part}`]));
  });

  it("invariant 6: finds nothing where nothing is", async () => {
    expect(scanText("here", `before ${newMarker()} after`, needles)).toEqual([]);
    await writeFile(join(folder, "noise"), Buffer.concat([randomBytes(1_000_000), Buffer.alloc(1_000_000)]));
    expect(await scanFolder(folder, needles)).toEqual([]);
    expect(await scanProcesses(needles)).toEqual([]);
  });

  it("invariant 6: refuses to look for nothing, or for what stands anywhere by chance", () => {
    expect(() => needlesOf([])).toThrow("finds nothing");
    expect(() => needlesOf(["short"])).toThrow("too short");
  });
});
