import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** An account to run a server as. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The account servers that refuse root run as; undefined when we are not root and simply run as ourselves. */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const wanted of ["postgres", "nobody"]) {
    const fields = lines.find((line) => line.startsWith(`${wanted}:`))?.split(":");
    const uid = Number(fields?.[2]);
    const gid = Number(fields?.[3]);
    if (uid > 0 && Number.isInteger(gid)) return { name: wanted, uid, gid };
  }
  throw new Error(
    "PostgreSQL refuses to run as root and there is no account 'postgres' or 'nobody'. Create one, or run rekey as another user.",
  );
}

/** Whether the account may pass every folder down to `path` and enter `path` itself. */
export async function canEnter(path: string, account: Account, includeLast = true): Promise<boolean> {
  const chain: string[] = includeLast ? [resolve(path)] : [];
  for (let at = dirname(resolve(path)); ; at = dirname(at)) {
    chain.push(at);
    if (at === dirname(at)) break;
  }
  for (const folder of chain) {
    const found = await stat(folder).catch(() => undefined);
    if (found === undefined) return false;
    const shift = found.uid === account.uid ? 6 : found.gid === account.gid ? 3 : 0;
    if (((found.mode >> shift) & 1) === 0) return false;
  }
  return true;
}
