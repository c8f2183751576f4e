import { readFileSync, statSync } from "node:fs";
import type { RequestListener, Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:https";
import { createSecureContext } from "node:tls";
import type { Log } from "../custody/scrubbed-log.ts";
import { OperatorNeededError } from "../domain/errors.ts";

/** Where certificate (with what leads to its authority) and key lie, PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const oldest = "TLSv1.2";

const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "unknown");

/**
 * Listens nowhere yet. Each new connection gets what lies in the files then: a certificate that is replaced is in force
 * without a restart. While the files do not fit each other, because only one has been replaced yet, the former stays.
 * @throws {OperatorNeededError} `setting_invalid` when they cannot be used from the beginning.
 */
export function createTlsServer(
  files: TlsFiles,
  handler: RequestListener,
  { log, requestTimeout }: { readonly log: Log; readonly requestTimeout: number },
): Server {
  let seen = stampOf(files);
  const server = createServer({ ...checked(files), minVersion: oldest, requestTimeout }, handler);
  const renew = (): void => {
    const stamp = stampOf(files);
    if (stamp === seen) return;
    seen = stamp;
    try {
      server.setSecureContext({ ...read(files), minVersion: oldest });
      log("certificate.replaced");
    } catch (error) {
      log.warn("certificate.kept", { code: codeOf(error) });
    }
  };
  // Before the server's own listener, which begins the handshake.
  server.prependListener("connection", renew);
  return server;
}

/** The same for Fastify, which calls every server by the name of the plain one. */
export const tlsServerFactory =
  (files: TlsFiles, options: Parameters<typeof createTlsServer>[2]) =>
  (handler: RequestListener): HttpServer =>
    createTlsServer(files, handler, options);

/** Differs whenever one of the files was written or another took its place; also when one is missing. */
function stampOf({ certFile, keyFile }: TlsFiles): string {
  return [certFile, keyFile]
    .map((file) => statSync(file, { bigint: true, throwIfNoEntry: false }))
    .map((stat) => (stat === undefined ? "" : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs}`))
    .join(" / ");
}

function read({ certFile, keyFile }: TlsFiles) {
  const pair = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  // Refuses a key that is another certificate's.
  createSecureContext(pair);
  return pair;
}

function checked(files: TlsFiles) {
  try {
    return read(files);
  } catch (error) {
    throw new OperatorNeededError(
      "setting_invalid",
      `REKEY_TLS_CERT_FILE, REKEY_TLS_KEY_FILE: they cannot be read, or do not belong together (${codeOf(error)}).`,
    );
  }
}
