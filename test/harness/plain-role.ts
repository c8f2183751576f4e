import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { Secret } from "../../providers/contract/secret.ts";
import { makePair } from "./postgres-issuer.ts";
import { registerCredential } from "./register-credential.ts";
import { newMark, type World } from "./world.ts";

/** A pair of logins with one file and no application: many of them cost little. */
export interface PlainRole {
  readonly credentialId: string;
  /** Logs in with what lies in the file: `accepted`, or the server's code. */
  logsIn(): Promise<string>;
}

export async function makePlainRole(world: World): Promise<PlainRole> {
  const { issuer } = world;
  const mark = newMark();
  const pair = await makePair(issuer, { suffix: mark });
  const [first, second] = pair.logins;
  const options = issuer.version >= 160_000 ? " WITH INHERIT TRUE, SET TRUE" : "";
  await issuer.ask(`GRANT ${pair.owner} TO ${second}${options}; ALTER ROLE ${second} SET role = '${pair.owner}'`);
  const path = join(world.folder, "targets", `${mark}.env`);
  await writeFile(path, `DB_USER=${first}\nDB_PASSWORD=${pair.password}\n`, { mode: 0o600 });
  const { credentialId } = await registerCredential(world, {
    ...{ mark, kind: "postgres-role", order: "overlap" },
    connection: {
      settings: { host: issuer.host, port: issuer.port, database: "postgres", user: pair.admin.user },
      secret: { password: new Secret(pair.admin.password) },
      principal: pair.admin.user,
    },
    config: { owner: pair.owner, logins: [...pair.logins], database: "postgres" },
    principals: [pair.owner, ...pair.logins],
    consumer: {
      ...{ name: "app", kind: "file", target: `file:${path}` },
      config: { path, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
      evidence: { wanted: "delivered", collectors: {} },
    },
    today: { username: first, password: new Secret(pair.password) },
  });
  return {
    credentialId,
    async logsIn() {
      const text = await readFile(path, "utf8");
      const read = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1] ?? "";
      const login = { user: read("DB_USER"), password: read("DB_PASSWORD") };
      const client = new pg.Client({ host: issuer.host, port: issuer.port, database: "postgres", ...login });
      try {
        await client.connect();
        return "accepted";
      } catch (error) {
        return error instanceof pg.DatabaseError ? (error.code ?? "failed") : "failed";
      } finally {
        await client.end().catch(() => undefined);
      }
    },
  };
}
