import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

export interface Finding {
  readonly place: string;
  /** Which form of the marker was found; never the marker. */
  readonly form: string;
}

interface Needle {
  readonly form: string;
  readonly bytes: Buffer;
}

/** A half that is shorter could stand anywhere by chance. */
const shortestHalf = 12;

/** Every form in which a marker could lie somewhere: plain, encoded, escaped, wide, and each half of it. */
export function needlesOf(markers: readonly string[]): readonly Needle[] {
  return markers.flatMap((marker) => {
    const half = Math.floor(marker.length / 2);
    // Whatever holds the whole holds a half.
    const parts =
      half < shortestHalf
        ? { whole: marker }
        : { "first half": marker.slice(0, half), "second half": marker.slice(half) };
    return Object.entries(parts).flatMap(([name, part]) =>
      formsOf(part).map(([form, bytes]) => ({ form: `${form}, ${name}`, bytes })),
    );
  });
}

function formsOf(text: string): readonly (readonly [string, Buffer])[] {
  const bytes = Buffer.from(text, "utf8");
  const hex = bytes.toString("hex");
  const wide = Buffer.from(text, "utf16le");
  // Base64 of the bytes wherever they lie in a longer text: less what the neighbours' bits touch.
  const cores = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "")
      .slice(shift === 0 ? 0 : shift + 1, -1),
  );
  return [
    ["plain", bytes],
    ["JSON-escaped", Buffer.from(JSON.stringify(text).slice(1, -1))],
    ["percent-encoded", Buffer.from(hex.replaceAll(/../g, "%$&"))],
    ["percent-encoded", Buffer.from(encodeURIComponent(text))],
    ["hex", Buffer.from(hex)],
    ["hex", Buffer.from(hex.toUpperCase())],
    ...cores.map((core) => ["base64", Buffer.from(core)] as const),
    ...cores.map((core) => ["base64url", Buffer.from(core.replaceAll("+", "-").replaceAll("/", "_"))] as const),
    ["UTF-16", wide],
    ["UTF-16", Buffer.from(wide).swap16()],
  ];
}

function scanBytes(place: string, bytes: Buffer, needles: readonly Needle[]): readonly Finding[] {
  const found = needles.filter((needle) => bytes.includes(needle.bytes)).map(({ form }) => form);
  return [...new Set(found)].map((form) => ({ place, form }));
}

export const scanText = (place: string, text: string, needles: readonly Needle[]): readonly Finding[] =>
  scanBytes(place, Buffer.from(text, "utf8"), needles);

const chunk = 8 * 1024 * 1024;

/** A file in pieces that overlap, so that nothing hides on the seam. */
export async function scanFile(path: string, needles: readonly Needle[]): Promise<readonly Finding[]> {
  const overlap = Math.max(...needles.map(({ bytes }) => bytes.length));
  const file = await open(path, "r");
  const found: Finding[] = [];
  try {
    const buffer = Buffer.alloc(chunk + overlap);
    let kept = 0;
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(buffer, kept, chunk, at);
      if (bytesRead === 0) break;
      const end = kept + bytesRead;
      found.push(...scanBytes(path, buffer.subarray(0, end), needles));
      kept = Math.min(overlap, end);
      buffer.copyWithin(0, end - kept, end);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
  return found;
}

/** Everything below a folder, but for the paths that may hold a value. */
export async function scanFolder(
  folder: string,
  needles: readonly Needle[],
  allowed: readonly string[] = [],
): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (allowed.includes(path)) continue;
    if (entry.isDirectory()) found.push(...(await scanFolder(path, needles, allowed)));
    // A server may remove a file while it is looked at.
    else if (entry.isFile() && (await stat(path).catch(() => undefined))?.isFile() === true)
      found.push(...(await scanFile(path, needles).catch(() => [])));
  }
  return found;
}

/** Arguments and environment of every process that can be read. */
export async function scanProcesses(needles: readonly Needle[]): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name)))
    for (const part of ["cmdline", "environ"]) {
      const bytes = await readFile(`/proc/${pid}/${part}`).catch(() => Buffer.alloc(0));
      found.push(...scanBytes(`/proc/…/${part}`, bytes, needles));
    }
  return found;
}
