// A lock between processes: a folder (put in place by one only) with the owner's pid and start time. A dead owner's is
// taken over.
import { readFileSync, renameSync, rmSync } from "node:fs";
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

/** Makes the lock, signed from its first moment: one without an owner's name would look like a dead one's. */
async function take(folder, me) {
  const signed = `${folder}.${process.pid}.new`;
  await mkdir(signed, { recursive: true });
  await writeFile(join(signed, "owner"), me);
  try {
    await rename(signed, folder);
    return true;
  } catch (error) {
    await rm(signed, { recursive: true, force: true });
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
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
  const me = processMark(process.pid);
  for (let isTold = false; !(await take(folder, me));) {
    const owner = ownerOf(folder);
    if (owner === undefined) continue; // given back in this moment
    if (!isRunning(owner)) {
      await dropStale(folder, owner);
      continue;
    }
    if (!isTold) say(`another set-up is at work (pid ${owner.split(" ")[0]}); waiting for it`);
    isTold = true;
    await sleep(200, undefined, { signal: stopped.signal });
  }
  const release = () => {
    if (ownerOf(folder) !== me) return;
    const aside = `${folder}.${process.pid}`; // moved as a whole: emptied first, somebody's new one would be in the way
    renameSync(folder, aside);
    rmSync(aside, { recursive: true, force: true });
  };
  process.on("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}
