import pg from "pg";
import type { IssuerServer } from "../../harness/postgres-issuer.ts";

/** The same server, asked over one line that stays open: the suite asks so often that logging in would be most of it. */
export async function keptOpen(server: IssuerServer): Promise<IssuerServer> {
  const { host, port, superuser } = server;
  const client = new pg.Client({ host, port, ...superuser, database: "postgres", application_name: "keeper" });
  client.on("error", () => undefined);
  await client.connect();
  return {
    ...server,
    async ask(text, database = "postgres") {
      if (database !== "postgres") return server.ask(text, database);
      const answer = (await client.query<Record<string, unknown>>(text)) as
        | pg.QueryResult<Record<string, unknown>>
        | pg.QueryResult<Record<string, unknown>>[];
      return Array.isArray(answer) ? (answer.at(-1)?.rows ?? []) : answer.rows;
    },
    async stop() {
      await client.end();
      await server.stop();
    },
  };
}
