import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

export interface ApplicationPlace {
  /** What it reads its login from, and where that is in it. */
  readonly file: string;
  read(text: string): { readonly user: string; readonly password: string };
  readonly port: number;
  readonly database: string;
  readonly name: string;
}

export interface Applications {
  stop(): Promise<void>;
}

const everyMs = 500;

/** One session for each application, which moves to the login of its file when that changes. */
export async function startApplications(places: readonly ApplicationPlace[]): Promise<Applications> {
  const ending = new AbortController();
  const { signal } = ending;
  const all = await Promise.all(places.map(async (place) => ({ place, held: await connect(place) })));
  const running = all.map(async ({ place, held }) => {
    let current = held;
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || (await textOf(place)) === current.text) continue;
      // A login that is refused yet is tried again; the session of the former one lives until then.
      const next = await connect(place).catch(() => undefined);
      if (next === undefined) continue;
      await current.client.end().catch(() => undefined);
      current = next;
    }
    await current.client.end().catch(() => undefined);
  });
  return {
    async stop() {
      ending.abort();
      await Promise.all(running);
    },
  };
}

const textOf = ({ file }: ApplicationPlace): Promise<string> => readFile(file, "utf8").catch(() => "");

async function connect(place: ApplicationPlace): Promise<{ readonly text: string; readonly client: pg.Client }> {
  const text = await textOf(place);
  const { port, database, name } = place;
  const client = new pg.Client({ host: "127.0.0.1", port, database, application_name: name, ...place.read(text) });
  client.on("error", () => undefined);
  await client.connect();
  return { text, client };
}
