import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needlesOf, scanFile, scanFolder, scanProcesses, scanText } from "./scan.ts";

const marker = `mark-${randomBytes(20).toString("base64url")}/+"é`;
const needles = needlesOf([marker]);
const bytes = Buffer.from(marker, "utf8");
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-canary-"));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const planted: Readonly<Record<string, string>> = {
  plain: marker,
  "JSON-escaped": JSON.stringify({ password: marker }),
  "percent-encoded": `https://a/?p=${encodeURIComponent(marker)}`,
  "percent-encoded bytes": bytes.toString("hex").replaceAll(/../g, "%$&"),
  hex: bytes.toString("hex"),
  "hex in capitals": bytes.toString("hex").toUpperCase(),
  base64: bytes.toString("base64"),
  base64url: bytes.toString("base64url"),
  "base64 of a longer text": Buffer.from(`user:${marker}@host`).toString("base64"),
  "base64 of another longer text": Buffer.from(`users:${marker}@host`).toString("base64"),
  "the first half": marker.slice(0, Math.floor(marker.length / 2)),
  "the second half": marker.slice(Math.floor(marker.length / 2)),
};

describe("invariant 6: the scan", () => {
  it.each(Object.keys(planted))("finds a marker that is planted as %s, and does not show it", (form) => {
    const found = scanText("here", `before ${planted[form] ?? ""} after`, needles);
    expect(found.length).toBeGreaterThan(0);
    expect(JSON.stringify(found)).not.toContain(marker.slice(0, 12));
  });

  it("finds wide characters of both orders, in a binary file and across the seam of two pieces", async () => {
    const wide = Buffer.from(marker, "utf16le");
    for (const [name, content] of Object.entries({ little: wide, big: Buffer.from(wide).swap16(), plain: bytes })) {
      const path = join(folder, name);
      const before = Buffer.alloc(8 * 1024 * 1024 - 10, 1);
      await writeFile(path, Buffer.concat([before, content, Buffer.alloc(100)]));
      expect((await scanFile(path, needles)).length, name).toBeGreaterThan(0);
      await rm(path);
    }
  });

  it("finds it in a folder below, but for the places that may hold it", async () => {
    const inner = join(folder, "a", "b");
    await mkdir(inner, { recursive: true });
    await writeFile(join(inner, "leak"), marker);
    expect(await scanFolder(folder, needles)).not.toEqual([]);
    expect(await scanFolder(folder, needles, [join(inner, "leak")])).toEqual([]);
  });

  it.each(["cmdline", "environ"])("finds it in a process's %s", async (part) => {
    const script = "setInterval(() => {}, 1000); console.log('up')";
    const child = spawn(process.execPath, ["-e", script, ...(part === "cmdline" ? [marker] : [])], {
      env: part === "environ" ? { LEAK: marker } : {},
    });
    try {
      await once(child.stdout, "data");
      expect((await scanProcesses(needles)).map(({ place }) => place)).toContain(`/proc/…/${part}`);
    } finally {
      child.kill("SIGKILL");
    }
  });

  it("finds nothing where nothing is", async () => {
    const other = `mark-${randomBytes(20).toString("base64url")}`;
    expect(scanText("here", `before ${other} after`, needles)).toEqual([]);
    expect(await scanProcesses(needles)).toEqual([]);
  });
});
