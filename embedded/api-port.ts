import { createServer } from "node:net";

/** Another program has the port that the API is to answer on. */
export class PortTakenError extends Error {
  override readonly name = "PortTakenError";
  readonly code = "port_taken";
  readonly next: string;
  constructor(port: number, isRefused: boolean) {
    super(
      isRefused
        ? `This user may not listen on port ${port}.`
        : `Something listens on 127.0.0.1:${port} already, perhaps another rekey.`,
    );
    this.next = isRefused
      ? "Take a port above 1023: REKEY_PORT=7390 rekey up."
      : "Stop it, or take another port: REKEY_PORT=0 rekey up takes any that is free.";
  }
}

/** Throws when the API could not listen there, while nothing else has been started yet. 0 stands for any port. */
export async function assertPortFree(port: number): Promise<void> {
  if (port === 0) return;
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", ({ code }: NodeJS.ErrnoException) =>
    code === "EADDRINUSE" || code === "EACCES" ? reject(new PortTakenError(port, code === "EACCES")) : resolve(),
  );
  server.listen(port, "127.0.0.1", () => server.close(() => resolve()));
  return promise;
}
