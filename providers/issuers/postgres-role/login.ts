import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import pg from "pg";
import type { RequestWay } from "../../contract/context.ts";
import type { Secret } from "../../contract/secret.ts";
import { isLoopback, isSocket, type ConnectionConfig } from "./config.ts";
import { guardAuthentication } from "./guarded-authentication.ts";
import { enterOwnBackend, whileArriving } from "./own-backends.ts";

export interface Login {
  readonly user: string;
  readonly password: Secret<string>;
  readonly database: string;
}

/** Why nobody was logged in: a SQLSTATE of the server, or one of these words. */
export type FailureWord =
  | "unreachable"
  | "timed_out"
  | "cancelled"
  | "tls_unverified"
  | "tls_refused"
  | "clear_text_requested"
  | "md5_requested"
  | "method_unsupported"
  | "server_unproven";

export class LoginFailure extends Error {
  override readonly name = "LoginFailure";
  readonly code: string;
  /** The server asked for SCRAM before it refused. */
  readonly challenged: boolean;

  constructor(code: FailureWord | { readonly sqlState: string }, challenged: boolean) {
    const said = typeof code === "string" ? code : code.sqlState;
    super(said);
    this.code = said;
    this.challenged = challenged;
  }
}

export interface LoggedIn {
  readonly client: pg.Client;
  /** From now on another signal drops the connection, or none does: it rests then, and keeps no process alive. */
  follow(signal: AbortSignal | undefined): void;
  /** SCRAM was asked for, and the server proved in turn that it knows the verifier. */
  readonly challenged: boolean;
  /** Resolves when the server has let the session go. Never rejects. */
  close(): Promise<void>;
  /** Drops the connection as it is. */
  destroy(): void;
}

/** Milliseconds. */
export const limits = { connect: 10_000, statement: 15_000, lock: 5_000, idleInTransaction: 15_000 } as const;
const closeWithinMs = 2_000;

/** Logs in once, over the connection's own address and TLS. Throws `LoginFailure`. */
export async function logIn(connection: ConnectionConfig, login: Login, way: RequestWay): Promise<LoggedIn> {
  const { signal } = way;
  if (!signal.aborted) await way.spend?.();
  if (signal.aborted) throw new LoginFailure("cancelled", false);
  const client = new pg.Client({
    host: connection.host,
    port: connection.port,
    user: login.user,
    password: login.password.reveal(),
    database: login.database,
    ssl: tlsOptions(connection),
    application_name: "rekey",
    connectionTimeoutMillis: limits.connect,
    statement_timeout: limits.statement,
    query_timeout: limits.statement + 5_000,
    idle_in_transaction_session_timeout: limits.idleInTransaction,
    keepAlive: true,
    // All that `pg` would otherwise take from the environment of the worker is said here.
    options: "-c search_path=pg_catalog -c client_encoding=UTF8",
    client_encoding: "UTF8",
    sslnegotiation: "postgres",
  });
  client.on("error", () => undefined); // what waits for an answer is told; nobody else has to be
  const stream = client.connection.stream as Socket;
  const auth = guardAuthentication(client.connection);
  enterOwnBackend(connection, client.connection);
  if (connection.tls?.unverified !== true && tlsOptions(connection) === false) refuseBeyondLoopback(stream);
  const abort = (): void => void stream.destroy();
  let followed: AbortSignal | undefined;
  const follow = (next: AbortSignal | undefined): void => {
    followed?.removeEventListener("abort", abort);
    followed = next;
    next?.addEventListener("abort", abort, { once: true });
    if (next === undefined) stream.unref();
    else stream.ref();
    if (next?.aborted === true) abort();
  };
  follow(signal);
  try {
    await whileArriving(connection, client.connect());
    // The driver would keep it for as long as the session lasts.
    client.password = undefined;
    if (auth.challenged && !auth.proven) throw new LoginFailure("server_unproven", true);
    return {
      client,
      challenged: auth.challenged,
      follow,
      close() {
        follow(undefined);
        return closeClient(client, stream);
      },
      destroy: () => void stream.destroy(),
    };
  } catch (error) {
    follow(undefined);
    stream.destroy();
    if (error instanceof LoginFailure) throw error;
    throw new LoginFailure(signal.aborted ? "cancelled" : (auth.refused ?? failureOf(error)), auth.challenged);
  }
}

async function closeClient(client: pg.Client, stream: Socket): Promise<void> {
  const patience = new AbortController();
  // A server that has stopped answering must not hold us.
  await Promise.race([client.end(), sleep(closeWithinMs, undefined, { signal: patience.signal })]).catch(
    () => undefined,
  );
  patience.abort();
  stream.destroy();
}

function tlsOptions(connection: ConnectionConfig): ConnectionOptions | false {
  const { host, tls } = connection;
  if (tls?.mode === "off" || (tls === undefined && (isSocket(host) || isLoopback(host)))) return false;
  if (tls?.unverified === true) return { rejectUnauthorized: false };
  return {
    rejectUnauthorized: true,
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    checkServerIdentity: (_, certificate) => checkServerIdentity(tls?.serverName ?? host, certificate),
  };
}

/** A name such as `localhost` may lead elsewhere; then nothing is sent. */
function refuseBeyondLoopback(stream: Socket): void {
  stream.once("connect", () => {
    if (stream.remoteAddress !== undefined && !isLoopback(stream.remoteAddress)) stream.destroy(new NotLoopback());
  });
}

class NotLoopback extends Error {}

const tlsFault = /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

function failureOf(error: unknown): FailureWord | { readonly sqlState: string } {
  if (error instanceof pg.DatabaseError) return { sqlState: error.code ?? "XX000" };
  if (error instanceof NotLoopback) return "tls_refused";
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (typeof code === "string" && tlsFault.test(code)) return "tls_unverified";
  if (typeof code === "string") return code === "ETIMEDOUT" ? "timed_out" : "unreachable";
  // `pg` gives its own errors no codes.
  if (message?.includes("SSL") === true) return "tls_refused";
  if (message?.startsWith("SASL: Only mechanism") === true) return "method_unsupported";
  if (message?.startsWith("SASL") === true) return "server_unproven";
  if (message?.startsWith("Unknown authentication") === true) return "method_unsupported";
  return message?.includes("timeout") === true ? "timed_out" : "unreachable";
}
