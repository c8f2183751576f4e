import { setTimeout as sleep } from "node:timers/promises";
import { OperatorNeededError } from "../../../domain/errors.ts";
import type { Work } from "./admin.ts";
import { readRole, type Role } from "./catalogue.ts";
import { sqlStateOf } from "./failure.ts";
import { limits } from "./login.ts";
import { ident } from "./quoting.ts";

/** Times that a transaction which lost against another is begun again. */
const looks = 10;

/** "tuple concurrently updated": somebody else's transaction had the role, and has committed. */
const lostTheRow = "XX000";
const noSuchRole = "42704";

/** Somebody else's transaction has the role, and did not end within the lock's time limit. */
export const isHeld = (error: unknown): boolean => sqlStateOf(error) === "55P03";

/**
 * Keeps late attempts out. The bare `ALTER ROLE` locks the role's catalogue row on the whole server until the end of the
 * transaction; only then the comment is read, so that nothing can change between the look and the effect. An advisory
 * lock would hold in one database only, and a stricter isolation level would show the comment as it was before the wait.
 * `body` looks at the role and runs its effect; whatever it throws leaves the role as it was.
 */
export async function behindFence<T>(work: Work, name: string, body: (role: Role) => Promise<T>): Promise<T> {
  for (let look = 1; ; look++) {
    try {
      return await once(work, name, body);
    } catch (error) {
      if (sqlStateOf(error) === noSuchRole)
        throw new OperatorNeededError("principal_missing", `The role ${ident(name)} does not exist. Create it again.`);
      if (sqlStateOf(error) !== lostTheRow || look === looks) throw error;
      await sleep(10 * look);
    }
  }
}

async function once<T>(work: Work, name: string, body: (role: Role) => Promise<T>): Promise<T> {
  try {
    await work.run(
      `BEGIN ISOLATION LEVEL READ COMMITTED;
       SET LOCAL lock_timeout = ${limits.lock};
       SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
       ALTER ROLE ${ident(name)};`,
    );
    const role = await readRole(work, name);
    if (role === undefined) throw new OperatorNeededError("principal_missing", `The role ${ident(name)} is gone.`);
    const result = await body(role);
    await work.run("COMMIT");
    return result;
  } catch (error) {
    await work.run("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
