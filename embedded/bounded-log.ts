import { copyFile, open, readdir, stat, truncate } from "node:fs/promises";
import { join } from "node:path";

const limitBytes = 8 * 1024 * 1024;
const lookEveryMs = 30_000;

/**
 * Keeps a log that another process appends to below twice the limit: its content moves to `<path>.1` and the file is
 * emptied in place, since the writer holds it open. A few lines written between the two can be lost.
 */
export async function boundLog(path: string, limit: number = limitBytes): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= limit) return;
  await copyFile(path, `${path}.1`);
  await truncate(path, 0);
}

/** Each log of a folder, whoever writes it. */
export async function boundLogs(folder: string, limit: number = limitBytes): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".log"));
  await Promise.all(names.map(async (name) => boundLog(join(folder, name), limit)));
}

/** Looks at the log now and then until the returned function is called. Does not keep the process alive. */
export const watchLog = (path: string): (() => void) => every(async () => boundLog(path));

/** The same for each log of a folder, also those that come later. */
export const watchLogs = (folder: string): (() => void) => every(async () => boundLogs(folder));

function every(work: () => Promise<void>): () => void {
  const timer = setInterval(() => void work().catch(() => undefined), lookEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** The last lines of a log, for an error that names what a server said before it died. */
export async function tailOf(path: string, bytes = 2000): Promise<string> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - bytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(bytes, size)), 0, Math.min(bytes, size), start);
    return buffer.subarray(0, bytesRead).toString("utf8").trim();
  } finally {
    await file.close();
  }
}
