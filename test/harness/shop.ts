import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { openSwappingPool } from "../../demo/swapping-pool.ts";

export interface ShopReport {
  readonly logins: number;
  readonly statements: number;
  /** SQLSTATE of each refused login or failed statement. Empty means that nobody noticed the rotation. */
  readonly failures: readonly string[];
  /** The same with what an oracle asks. */
  readonly troubles: readonly ShopTrouble[];
  /** Every login that lay in the file, in the order in which it was first seen there, with returns. */
  readonly held: readonly { readonly user: string; readonly password: string }[];
}

export interface ShopTrouble {
  readonly code: string;
  /** When the round began in which it happened, milliseconds since 1970. */
  readonly beganAt: number;
  /** Which of `held` lay in the file then. */
  readonly held: number;
}

export interface Shop {
  /** While true the shop keeps the login that it has, whatever its file says. */
  isStubborn: boolean;
  report(): ShopReport;
  close(): Promise<ShopReport>;
}

export interface ShopPlace {
  readonly file: string;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly applicationName: string;
}

const everyMs = 20;

/**
 * An application with a pool that reloads when its file changes, and a sentinel beside it: every 20 ms it takes whatever
 * lies in the file, logs in anew with it and works as an application does. It knows nothing of the product's code.
 */
export async function startShop(place: ShopPlace): Promise<Shop> {
  // Two applications that make one table at the same moment would fail each other.
  const notes = pg.escapeIdentifier(`notes of ${place.applicationName}`);
  const pool = openSwappingPool(place.applicationName, 2);
  const troubles: ShopTrouble[] = [];
  const held: { user: string; password: string }[] = [];
  let logins = 0;
  let statements = 0;
  let isOpen = true;
  let current = "";

  const note = (beganAt: number, error: unknown): void => {
    const code = error instanceof pg.DatabaseError ? (error.code ?? "unknown") : String(error);
    troubles.push({ code, beganAt, held: held.length - 1 });
  };

  function loginIn(text: string) {
    const { host, port, database } = place;
    const of = (key: string) => new RegExp(`^${key}=["']?([^"'\\n]*)`, "m").exec(text)?.[1] ?? "";
    const [user, password] = [of("DB_USER"), of("DB_PASSWORD")];
    const last = held.at(-1);
    if (last?.user !== user || last.password !== password) held.push({ user, password });
    return { host, port, database, user, password };
  }

  async function tick(): Promise<void> {
    const text = await readFile(place.file, "utf8");
    const login = loginIn(text);
    if (text !== current && !shop.isStubborn) {
      await pool.use(login);
      current = text;
    }
    await pool.run(async (client) => client.query("INSERT INTO orders (item) VALUES ('tea')"));
    statements += 1;
    const client = new pg.Client({ ...login, application_name: place.applicationName });
    client.on("error", () => undefined);
    try {
      await client.connect();
      logins += 1;
      await client.query(`CREATE TABLE IF NOT EXISTS ${notes} (text text)`);
      await client.query(`ALTER TABLE ${notes} ADD COLUMN IF NOT EXISTS at timestamptz`);
      await client.query(`INSERT INTO ${notes} (text) VALUES ('seen')`);
      await client.query(`SELECT count(*) FROM ${notes}`);
      statements += 4;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  const shop: Shop = {
    isStubborn: false,
    report: () => ({
      logins,
      statements,
      failures: troubles.map(({ code }) => code),
      troubles: [...troubles],
      held: [...held],
    }),
    async close() {
      isOpen = false;
      await running;
      await pool.close();
      return shop.report();
    },
  };
  try {
    await tick();
  } catch (error) {
    await pool.close();
    throw error;
  }
  const running = (async () => {
    while (isOpen) {
      const beganAt = Date.now();
      await tick().catch((error: unknown) => note(beganAt, error));
      await pause(everyMs);
    }
  })();
  return shop;
}
