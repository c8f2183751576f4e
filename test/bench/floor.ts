import { randomBytes } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import pg from "pg";
import type { IssuerServer } from "../harness/postgres-issuer.ts";
import { inLanes, logsIn, type Pair } from "./roles.ts";

/**
 * What a careful script does to replace one login, with nothing remembered and nothing to take back: the other login is
 * let in and tried, beside a wrong password; the file is written; the old one is refused, its sessions are ended, and it is
 * tried beside a login that is accepted. In the order that contains the file comes last.
 */
export async function runScript(
  issuer: IssuerServer,
  pairs: readonly Pair[],
  order: "contain" | "continuity",
): Promise<number> {
  const beganAt = performance.now();
  const { host, port } = issuer;
  const admins = new pg.Pool({ host, port, ...issuer.superuser, database: "postgres", max: lanes });
  await inLanes(pairs, lanes, async (pair) => {
    const old = await pair.held();
    const user = pair.logins[0] === old.user ? pair.logins[1] : pair.logins[0];
    const fresh = { user, password: randomBytes(32).toString("base64url") };
    await admins.query(`ALTER ROLE ${user} LOGIN PASSWORD '${fresh.password}'`);
    await expect(issuer, fresh, "accepted");
    await expect(issuer, { user, password: "wrong" }, "28P01");
    const deliver = async () => {
      await writeFile(`${pair.file}.new`, `DB_USER=${user}\nDB_PASSWORD=${fresh.password}\n`, { mode: 0o600 });
      await rename(`${pair.file}.new`, pair.file);
    };
    if (order === "continuity") await deliver();
    await admins.query(`ALTER ROLE ${old.user} NOLOGIN PASSWORD NULL`);
    await admins.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [old.user]);
    await expect(issuer, old, "28P01");
    await expect(issuer, fresh, "accepted");
    if (order === "contain") await deliver();
  });
  await admins.end();
  return performance.now() - beganAt;
}

const lanes = 16;

async function expect(issuer: IssuerServer, login: Parameters<typeof logsIn>[1], wanted: string): Promise<void> {
  const answer = await logsIn(issuer, login);
  if (answer !== wanted) throw new Error(`${login.user} was answered ${answer}, not ${wanted}.`);
}
