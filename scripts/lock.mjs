// A lock between processes: a folder (made by one only) with the owner's pid and start time. A dead owner's is taken over.
import { readFileSync, rmSync, statSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** When the process began, where the system says so: a number alone may belong to somebody else by now. */
function beganAt(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return "unknown";
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== "ESRCH";
  }
}

function ownerOf(folder) {
  try {
    return readFileSync(join(folder, "owner"), "utf8");
  } catch {
    return undefined;
  }
}

function isStale(folder, owner) {
  if (owner !== undefined) {
    const [pid, began] = owner.split(" ");
    return !isAlive(Number(pid)) || beganAt(pid) !== began;
  }
  try {
    return Date.now() - statSync(folder).mtimeMs > 10_000; // its maker died before it could sign
  } catch {
    return false;
  }
}

export async function withLock(folder, say, work) {
  await mkdir(dirname(folder), { recursive: true });
  const me = `${process.pid} ${beganAt(process.pid)}`;
  for (let isTold = false; ;) {
    try {
      await mkdir(folder);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = ownerOf(folder);
    if (isStale(folder, owner)) {
      const aside = `${folder}.${process.pid}`;
      if (
        !(await rename(folder, aside).then(
          () => true,
          () => false,
        ))
      )
        continue;
      // Between the look and the move somebody else may have taken over: then it goes back.
      if (ownerOf(aside) === owner) await rm(aside, { recursive: true, force: true });
      else await rename(aside, folder).catch(() => undefined);
      continue;
    }
    if (!isTold)
      say(`another set-up is at work${owner === undefined ? "" : ` (pid ${owner.split(" ")[0]})`}; waiting for it`);
    isTold = true;
    await sleep(200);
  }
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
