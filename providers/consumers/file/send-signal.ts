import { constants } from "node:fs";
import { open, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { errnoOf } from "./file-system.ts";
import { notReloaded } from "./not-reloaded.ts";

const othersWrite = 0o022;
const longestPidFile = 64;

interface PidFile {
  readonly pid: number;
  readonly uid: number;
}

async function readPidFile(name: string, path: string): Promise<PidFile> {
  if (!isAbsolute(path))
    return notReloaded(`The pid file of reload "${name}" is not an absolute path. Mend the settings.`);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch((error: unknown) =>
    notReloaded(
      errnoOf(error) === "ELOOP"
        ? `The pid file of reload "${name}" is a link. Name the real file in the settings.`
        : `The pid file of reload "${name}" cannot be opened. Is the application running?`,
    ),
  );
  try {
    const found = await handle.stat();
    if (!found.isFile()) return notReloaded(`The pid file of reload "${name}" is not a plain file.`);
    if ((found.mode & othersWrite) !== 0)
      return notReloaded(`The pid file of reload "${name}" can be written by others. Run: chmod go-w ${path}`);
    if (found.size > longestPidFile) return notReloaded(`The pid file of reload "${name}" holds more than a number.`);
    const text = (await handle.readFile("latin1")).trim();
    const pid = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
    if (pid <= 1 || pid === process.pid)
      return notReloaded(`The pid file of reload "${name}" does not name a process that may be signalled.`);
    return { pid, uid: found.uid };
  } finally {
    await handle.close();
  }
}

/**
 * A pid file that root did not write may only name a process of its own owner: else an application could direct a
 * worker that runs as root at the processes of others.
 */
async function assertOwner(name: string, { pid, uid }: PidFile): Promise<void> {
  if (uid === 0 || process.geteuid?.() !== 0) return;
  const owner = await stat(`/proc/${pid}`).then(
    (found) => found.uid,
    () => undefined,
  );
  if (owner !== uid)
    notReloaded(`The process in the pid file of reload "${name}" does not belong to the file's owner. Is it running?`);
}

/**
 * Signals the process that the pid file names. A race remains that no check can close: the process may end, and another
 * get its number, between reading the file and the signal.
 */
export async function sendSignal(name: string, path: string, signal: NodeJS.Signals): Promise<void> {
  const found = await readPidFile(name, path);
  await assertOwner(name, found);
  try {
    process.kill(found.pid, signal);
  } catch (error) {
    notReloaded(
      errnoOf(error) === "EPERM"
        ? `The worker may not signal the process of reload "${name}". Run both as one user.`
        : `The process of reload "${name}" is not running. Start the application; it reads the new file then.`,
    );
  }
}
