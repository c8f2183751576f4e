import { open, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Needles } from "./needles.ts";

export interface Finding {
  readonly place: string;
  /** Which form of the marker was found; never the marker. */
  readonly form: string;
}

/** Where a value may lie, and why: nothing else is passed over. */
export interface AllowedPlace {
  readonly path: string;
  readonly why: string;
}

const scanBytes = (place: string, bytes: Buffer, needles: Needles): readonly Finding[] =>
  needles.find(bytes).map((form) => ({ place, form }));

export const scanText = (place: string, text: string, needles: Needles): readonly Finding[] =>
  scanBytes(place, Buffer.from(text, "utf8"), needles);

const piece = 4 * 1024 * 1024;

/** A file in pieces that overlap, so that nothing hides on the seam. */
export async function scanFile(path: string, needles: Needles): Promise<readonly Finding[]> {
  const forms = new Set<string>();
  const file = await open(path, "r");
  try {
    const buffer = Buffer.alloc(needles.longest + piece);
    let kept = 0;
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(buffer, kept, piece, at);
      if (bytesRead === 0) break;
      const end = kept + bytesRead;
      for (const form of needles.find(buffer.subarray(0, end))) forms.add(form);
      kept = Math.min(needles.longest, end);
      buffer.copyWithin(0, end - kept, end);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
  return [...forms].map((form) => ({ place: path, form }));
}

/** Everything below a folder, names and the aims of links included, but for the places that may hold a value. */
export async function scanFolder(
  folder: string,
  needles: Needles,
  allowed: readonly AllowedPlace[] = [],
): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(unlessGone([]))) {
    const path = join(folder, entry.name);
    found.push(...scanText(`a name in ${folder}`, entry.name, needles));
    if (allowed.some((place) => place.path === path)) continue;
    if (entry.isDirectory()) found.push(...(await scanFolder(path, needles, allowed)));
    if (entry.isFile()) found.push(...(await scanFile(path, needles).catch(unlessGone([]))));
    if (entry.isSymbolicLink())
      found.push(...scanText(`a link in ${folder}`, await readlink(path).catch(unlessGone("")), needles));
  }
  return found;
}

/** A server may remove a file while it is looked at. What cannot be read for another reason has not been looked at. */
const unlessGone =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return instead;
    throw error;
  };

/** Arguments and environment of every process that can be read, now. */
export async function scanProcesses(needles: Needles): Promise<readonly Finding[]> {
  const watch = watchProcesses();
  await watch.stop();
  return watch.scan(needles);
}

export interface ProcessWatch {
  stop(): Promise<void>;
  /** All that any process has shown since the watch began. What to look for may become known later. */
  scan(needles: Needles): readonly Finding[];
}

const lookEveryMs = 150;

/** Keeps looking at the arguments and environment of every process that can be read, short-lived ones too. */
export function watchProcesses(): ProcessWatch {
  const seen = { cmdline: new Set<string>(), environ: new Set<string>() };
  const ending = Promise.withResolvers<undefined>();
  let isOver = false;

  async function look(): Promise<void> {
    for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)))
      for (const part of ["cmdline", "environ"] as const)
        // One that has ended meanwhile, or that is not ours to read.
        seen[part].add(await readFile(`/proc/${pid}/${part}`, "latin1").catch(() => ""));
  }

  const running = (async () => {
    do {
      await look();
      const pause = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => pause.resolve(undefined), lookEveryMs);
      await Promise.race([pause.promise, ending.promise]);
      clearTimeout(timer);
    } while (!isOver);
  })();
  return {
    async stop() {
      isOver = true;
      ending.resolve(undefined);
      await running;
    },
    scan: (needles) =>
      (["cmdline", "environ"] as const).flatMap((part) =>
        scanBytes(`/proc/…/${part}`, Buffer.from([...seen[part]].join("\0"), "latin1"), needles),
      ),
  };
}
