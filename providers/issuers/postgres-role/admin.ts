import { createHash } from "node:crypto";
import type pg from "pg";
import { OperatorNeededError, RekeyError } from "../../../domain/errors.ts";
import type { RequestWay } from "../../contract/context.ts";
import type { Secret } from "../../contract/secret.ts";
import type { ConnectionConfig } from "./config.ts";
import { cancelled, loginError, poolerAt, sqlStateOf, statementError } from "./failure.ts";
import { logIn, LoginFailure, type LoggedIn } from "./login.ts";
import { rest, takeResting } from "./resting-logins.ts";

export interface Server {
  /** Stable over restarts and addresses; a copy of the server has the same, unless a person named it. */
  readonly identity: string;
  /** As `server_version_num`: 150018. */
  readonly version: number;
  readonly isSuperuser: boolean;
}

export type Row = Readonly<Record<string, unknown>>;

/** Runs statements on the one admin client while nobody else does. */
export interface Work {
  readonly server: Server;
  ask<T extends Row>(text: string, values?: readonly unknown[]): Promise<readonly T[]>;
  /** One or more statements without parameters; throws the server's own error. */
  run(text: string): Promise<void>;
}

/** The admin login of one session: made at the first need, never made again, since the next server might be another. */
export interface Admin {
  /** One at a time: two calls must not meet in one transaction. `doing` names the work for an operator. */
  work<T>(doing: string, body: (work: Work) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function openAdmin(
  connection: ConnectionConfig,
  password: Secret<string>,
  way: RequestWay,
  meaningOf = loginError,
): Admin {
  const { signal } = way;
  let opened: Promise<{ session: LoggedIn; server: Server }> | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  let isClean = true;

  async function connect(): Promise<{ session: LoggedIn; server: Server }> {
    const { user, database } = connection;
    const rested = takeResting(connection, password);
    if (rested !== undefined) {
      rested.follow(signal);
      try {
        return { session: rested, server: await readServer(rested.client, connection) };
      } catch {
        rested.destroy();
        if (signal.aborted) throw cancelled();
      }
    }
    const session = await logIn(connection, { user, password, database }, way).catch((error: unknown) => {
      throw error instanceof LoginFailure ? meaningOf(error, connection) : error;
    });
    try {
      return { session, server: await readServer(session.client, connection) };
    } catch (error) {
      await session.close();
      throw signal.aborted ? cancelled() : statementError(error, "reading the server's identity");
    }
  }

  async function now<T>(doing: string, body: (work: Work) => Promise<T>): Promise<T> {
    if (signal.aborted || isClosed) throw cancelled();
    const attempt = (opened ??= connect());
    const { session, server } = await attempt.catch((error: unknown) => {
      if (opened === attempt) opened = undefined;
      throw error;
    });
    const { client } = session;
    try {
      return await body({
        server,
        ask: async <R extends Row>(text: string, values: readonly unknown[] = []) =>
          (await client.query<R>(asked(text, values))).rows,
        run: async (text) => void (await client.query(text)),
      });
    } catch (error) {
      isClean = false;
      // An answer that never came may still come: whoever asks next must not get it.
      if (!(error instanceof RekeyError) && sqlStateOf(error) === undefined) session.destroy();
      throw signal.aborted ? cancelled() : statementError(error, doing);
    }
  }

  return {
    work(doing, body) {
      const mine = turn.then(() => now(doing, body));
      turn = mine.catch(() => undefined);
      return mine;
    },
    async close() {
      isClosed = true;
      await turn;
      const last = await opened?.catch(() => undefined);
      if (last === undefined) return;
      // Nothing of one piece of work is left for the next but the plans of our own statements.
      const mayRest = isClean && !signal.aborted && (await isDropped(last.session.client));
      if (mayRest) rest(connection, password, last.session);
      else await last.session.close();
    },
  };
}

/** What `DISCARD ALL` does, besides dropping what was prepared. https://www.postgresql.org/docs/18/sql-discard.html */
const dropping = `CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *;
  SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES`;

/** Also false where a transaction was left open: one that is opened by the question itself begins with it. */
async function isDropped(client: pg.Client): Promise<boolean> {
  try {
    const { rows } = await client.query<{ idle: boolean }>("SELECT now() = statement_timestamp() AS idle");
    if (rows[0]?.idle !== true) return false;
    await client.query(dropping);
    return true;
  } catch {
    return false;
  }
}

/** One with parameters comes again and again, whichever version it is about: the server reads and plans it once a login. */
function asked(text: string, values: readonly unknown[]): pg.QueryConfig {
  if (values.length === 0) return { text };
  const name = `rekey_${createHash("sha256").update(text).digest("base64url").slice(0, 22)}`;
  return { name, text, values: [...values] };
}

async function readServer(client: pg.Client, connection: ConnectionConfig): Promise<Server> {
  const { rows } = await client.query<{
    id: string;
    recovery: boolean;
    version: number;
    superuser: boolean;
    pid: number;
  }>(`
    SELECT system_identifier::text AS id, pg_backend_pid() AS pid, pg_is_in_recovery() AS recovery,
      current_setting('server_version_num')::int AS version,
      (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser
    FROM pg_control_system()`);
  const [row] = rows;
  if (row === undefined) throw new Error("no row");
  // The process that we were told of at login is not the one that answers.
  if (row.pid !== (client as pg.Client & { readonly processID?: number }).processID)
    throw new OperatorNeededError("issuer_unreachable", poolerAt(connection));
  if (row.recovery)
    throw new OperatorNeededError(
      "issuer_in_recovery",
      "The connection's address leads to a replica. Point it at the primary.",
    );
  return {
    identity: identityOf(row.id, connection),
    version: row.version,
    isSuperuser: row.superuser,
  };
}

export const identityOf = (systemIdentifier: string, { clone }: ConnectionConfig): string =>
  `postgresql:${systemIdentifier}${clone === undefined ? "" : `:${encodeURIComponent(clone)}`}`;
