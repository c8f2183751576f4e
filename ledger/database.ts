import { Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import { TransientError } from "../domain/errors.ts";
import { PreparingClient } from "./preparing-client.ts";
import type { Tables } from "./tables.ts";

export interface Ledger {
  readonly db: Kysely<Tables>;
  close(): Promise<void>;
}

export interface LedgerOptions {
  /** Connections this process may hold at once. */
  readonly connections?: number;
  readonly applicationName?: string;
  /** A transaction that has been left alone for so long is ended, and with it what it holds. */
  readonly idleInTransactionMs?: number;
  /** The server keeps the plans of statements: for who sends the same ones again and again. */
  readonly prepares?: boolean;
}

/** Keys of the advisory locks, one list so that no two purposes share one. */
export const locks = {
  migrate: 735_390_001,
  seal: 735_390_002,
  apply: 735_390_003,
  sweep: 735_390_004,
  leak: 735_390_012,
  firstToken: 735_390_013,
} as const;

/** Counts and ids come as numbers; one too large to be exact is refused rather than rounded. */
function exactNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("the ledger answered with a number too large to be exact");
  return value;
}

const parserOf: (oid: number, format?: "text" | "binary") => (text: string) => unknown = pg.types.getTypeParser;

const parsers: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) =>
    oid === pg.types.builtins.INT8 && format !== "binary" ? exactNumber : parserOf(oid, format),
};

/**
 * Opens the ledger. The address is a PostgreSQL URL, over TCP or a socket:
 * `postgres://user:password@host/database`, `postgres:///database?host=/folder`, `postgres://user@%2Ffolder/database`.
 */
export function openLedger(url: string, options: LedgerOptions = {}): Ledger {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections ?? 10,
    application_name: options.applicationName ?? "rekey",
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types: parsers,
    ...(options.idleInTransactionMs === undefined
      ? {}
      : { idle_in_transaction_session_timeout: options.idleInTransactionMs }),
    ...(options.prepares === true ? { Client: PreparingClient } : {}),
  });
  // An idle connection that dies must not end the process; the next query opens another one.
  pool.on("error", () => undefined);
  // Neither must one that dies while it is lent out, between two statements: the next statement on it fails.
  pool.on("connect", (client) => client.on("error", () => undefined));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { db, close: () => db.destroy() };
}

/** How often a transaction is begun that PostgreSQL ends in favour of others. */
const mostAttempts = 4;

/**
 * One transaction. A ledger that did not answer is reported as that, whatever the driver calls it. One that had to make
 * way for another is begun again, so `work` is to leave nothing behind that a second run of it would not replace.
 */
export async function transact<T>(ledger: Ledger, work: (trx: Transaction<Tables>) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ledger.db.transaction().execute(work);
    } catch (error) {
      if (madeWay.test(codeOf(error)) && attempt < mostAttempts) continue;
      throw asUnreachable(error) ?? error;
    }
  }
}

const networkCodes = /^(ECONN|EPIPE|ENOENT|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)/;
/** The driver's own errors, which have no code. */
const cutMessages = /^(Connection terminated|timeout exceeded when trying|Client has encountered a connection error)/;
const shutdownCodes = /^(08...|57P0[123]|53300)$/;
/** A deadlock that PostgreSQL resolved, and a transaction that it could not put in any order with the others. */
const madeWay = /^(40P01|40001)$/;
/** Others have the row, and it was not to be waited for, or no longer. */
const lockedCode = "55P03";

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

/** The error to report when the ledger did not answer or had no room; undefined when the trouble is another one. */
export function asUnreachable(error: unknown): TransientError | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = codeOf(error);
  if (madeWay.test(code) || code === lockedCode)
    return new TransientError("ledger_busy", "Others changed the same rows at the same moment. Nothing was stored.");
  const isCut = cutMessages.test(error.message);
  if (!isCut && !networkCodes.test(code) && !shutdownCodes.test(code)) return undefined;
  return new TransientError(
    "ledger_unreachable",
    "PostgreSQL did not answer. Check that it runs and that DATABASE_URL points at it.",
  );
}
