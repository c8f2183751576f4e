import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../embedded/processes.ts";
import type { IssuerServer } from "./postgres-issuer.ts";
import { untilLedger } from "./world.ts";

export interface Pooler {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

const program = "/usr/sbin/pgbouncer";

/** Why there is none here; undefined where there is. */
export const poolerMissing = existsSync(program) ? undefined : `no PgBouncer in ${program}: apt-get install pgbouncer`;

/** Whom the pooler lets in: those whom the server knows, asked by a login of its own, or those of a list. */
export type PoolerUsers =
  | { readonly asks: { readonly user: string; readonly password: string } }
  | { readonly list: readonly { readonly user: string; readonly password: string }[] };

/** A pooler in front of the server, whose idle sessions at the server end after a second. `settings`: more lines. */
export async function startPooler(
  server: IssuerServer,
  users: PoolerUsers,
  settings: readonly string[] = [],
): Promise<Pooler> {
  const folder = await mkdtemp(join(tmpdir(), "rk-pooler-"));
  const [host, port] = ["127.0.0.1", await freePort()];
  const asks = "asks" in users ? users.asks : undefined;
  const list = "list" in users ? users.list : [users.asks];
  const files = {
    "users.txt": list.map(({ user, password }) => `"${user}" "${password}"`).join("\n"),
    "pgbouncer.ini": [
      "[databases]",
      `* = host=${server.host} port=${server.port}${asks === undefined ? "" : ` auth_user=${asks.user}`}`,
      "[pgbouncer]",
      `listen_addr = ${host}`,
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = scram-sha-256",
      `auth_file = ${join(folder, "users.txt")}`,
      ...(asks === undefined ? [] : ["auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1"]),
      "pool_mode = transaction",
      "server_idle_timeout = 1",
      ...settings,
    ].join("\n"),
  };
  await chmod(folder, 0o755);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), `${text}\n`, { mode: 0o644 });
  // It refuses to run as root.
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawn(program, [join(folder, "pgbouncer.ini")], { stdio: "ignore", ...nobody });
  const ended = once(child, "exit");
  await untilLedger(async () => {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}.`);
    const socket = connect(port, host);
    const isOpen = await Promise.race([once(socket, "connect"), once(socket, "error")]).then(
      ([error]) => error === undefined,
      () => false,
    );
    socket.destroy();
    return isOpen ? true : undefined;
  });
  return {
    host,
    port,
    async stop() {
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
