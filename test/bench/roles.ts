import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import pg from "pg";
import { newSecret, type IssuerServer } from "../harness/postgres-issuer.ts";

/** Who logs in, and by what. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Two logins of one owner role, and the file that somebody reads the one in use from. */
export interface Pair {
  readonly owner: string;
  readonly logins: readonly [string, string];
  readonly file: string;
  held(): Promise<Login>;
}

/** Makes so many at a server, one statement for all. */
export async function makePairs(
  issuer: IssuerServer,
  folder: string,
  names: readonly string[],
): Promise<readonly Pair[]> {
  const options = issuer.version >= 160_000 ? " WITH INHERIT TRUE, SET TRUE" : "";
  const passwords = names.map(() => newSecret());
  await issuer.ask(
    names
      .map(
        (name, at) => `CREATE ROLE ${name}_owner NOLOGIN;
          CREATE ROLE ${name}_a LOGIN PASSWORD '${passwords[at]}'; CREATE ROLE ${name}_b NOLOGIN;
          GRANT ${name}_owner TO ${name}_a, ${name}_b${options};
          ALTER ROLE ${name}_a SET role = '${name}_owner'; ALTER ROLE ${name}_b SET role = '${name}_owner';`,
      )
      .join("\n"),
  );
  return Promise.all(
    names.map(async (name, at) => {
      const file = join(folder, `${name}.env`);
      await writeFile(file, `DB_USER=${name}_a\nDB_PASSWORD=${passwords[at]}\n`, { mode: 0o600 });
      return {
        ...{ owner: `${name}_owner`, logins: [`${name}_a`, `${name}_b`] as const, file },
        async held() {
          const { DB_USER: user = "", DB_PASSWORD: password = "" } = parseEnv(await readFile(file, "utf8"));
          return { user, password };
        },
      };
    }),
  );
}

/** One login as the server answers it: `accepted`, or its code. */
export async function logsIn({ host, port }: IssuerServer, { user, password }: Login): Promise<string> {
  const client = new pg.Client({ host, port, database: "postgres", user, password });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("SELECT 1");
    return "accepted";
  } catch (error) {
    return error instanceof pg.DatabaseError ? (error.code ?? "failed") : "failed";
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** So many at a time. */
export async function inLanes<T>(all: readonly T[], lanes: number, work: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const lane = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
