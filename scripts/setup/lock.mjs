// A lock between processes: a folder (made by one only) with the owner's pid and start time. A dead owner's is taken over.
import { readFileSync, rmSync, statSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { say, stopped } from "./run.mjs";

/** A process by its number and, where the system tells, its start: a number alone may belong to somebody else by now. */
export function processMark(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? `${pid} dead` : `${pid} ${fields[19]}`;
  } catch {
    return `${pid} unknown`;
  }
}

/** Whether the process that a mark was made of still runs. */
export function isRunning(mark) {
  const pid = Number(mark.split(" ")[0]);
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") return false;
  }
  return processMark(pid) === mark;
}

function ownerOf(folder) {
  try {
    return readFileSync(join(folder, "owner"), "utf8");
  } catch {
    return undefined;
  }
}

function isStale(folder, owner) {
  if (owner !== undefined) return !isRunning(owner);
  try {
    return Date.now() - statSync(folder).mtimeMs > 10_000; // its maker died before it could sign
  } catch {
    return false;
  }
}

/** Between the look and the move somebody else may have taken over: then theirs goes back. */
async function dropStale(folder, owner) {
  const aside = `${folder}.${process.pid}`;
  try {
    await rename(folder, aside);
  } catch {
    return;
  }
  if (ownerOf(aside) === owner) await rm(aside, { recursive: true, force: true });
  else await rename(aside, folder).catch(() => undefined);
}

export async function withLock(folder, work) {
  await mkdir(dirname(folder), { recursive: true });
  for (let isTold = false; ;) {
    const isMine = await mkdir(folder).then(
      () => true,
      (error) => {
        if (error.code !== "EEXIST") throw error;
      },
    );
    if (isMine) break;
    const owner = ownerOf(folder);
    if (isStale(folder, owner)) {
      await dropStale(folder, owner);
      continue;
    }
    const who = owner === undefined ? "" : ` (pid ${owner.split(" ")[0]})`;
    if (!isTold) say(`another set-up is at work${who}; waiting for it`);
    isTold = true;
    await sleep(200, undefined, { signal: stopped.signal });
  }
  const me = processMark(process.pid);
  await writeFile(join(folder, "owner"), me);
  const release = () => {
    if (ownerOf(folder) === me) rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}
