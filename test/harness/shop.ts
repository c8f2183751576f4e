import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { openSwappingPool } from "../../demo/swapping-pool.ts";

export interface ShopReport {
  readonly logins: number;
  readonly statements: number;
  /** SQLSTATE of each refused login or failed statement. Empty means that nobody noticed the rotation. */
  readonly failures: readonly string[];
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
  const pool = openSwappingPool(place.applicationName, 2);
  const failures: string[] = [];
  let logins = 0;
  let statements = 0;
  let isOpen = true;
  let current = "";

  const note = (error: unknown): void => {
    failures.push(error instanceof pg.DatabaseError ? (error.code ?? "unknown") : String(error));
  };

  async function loginIn(text: string) {
    const { host, port, database } = place;
    const held = (key: string) => new RegExp(`^${key}=["']?([^"'\\n]*)`, "m").exec(text)?.[1] ?? "";
    return { host, port, database, user: held("DB_USER"), password: held("DB_PASSWORD") };
  }

  async function tick(): Promise<void> {
    const text = await readFile(place.file, "utf8");
    const login = await loginIn(text);
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
      await client.query("CREATE TABLE IF NOT EXISTS notes (text text)");
      await client.query("ALTER TABLE notes ADD COLUMN IF NOT EXISTS at timestamptz");
      await client.query("INSERT INTO notes (text) VALUES ('seen')");
      await client.query("SELECT count(*) FROM notes");
      statements += 4;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  const shop: Shop = {
    isStubborn: false,
    report: () => ({ logins, statements, failures: [...failures] }),
    async close() {
      isOpen = false;
      await running;
      await pool.close();
      return shop.report();
    },
  };
  await tick();
  const running = (async () => {
    while (isOpen) {
      await tick().catch(note);
      await pause(everyMs);
    }
  })();
  return shop;
}
