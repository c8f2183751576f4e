// A process of its own that owns a home and its servers. It is told by IPC what to start, answers when all of it is
// ready, and stops everything when it is told to or when whoever started it is gone.
import { PortTakenError } from "./api-port.ts";
import { HomeInUseError, openHome } from "./home.ts";
import { startEmbedded, type Embedded } from "./start-all.ts";

interface Start {
  readonly home: string;
  readonly databaseUrl?: string;
  readonly temporalAddress?: string;
  readonly temporalBinary?: string;
  readonly apiPort?: number;
}

const ending = new AbortController();
let embedded: Promise<Embedded> | undefined;

async function start(given: Start): Promise<Embedded> {
  const home = await openHome(given.home);
  return startEmbedded({
    home,
    log: (line) => process.send?.({ log: line }),
    databaseUrl: given.databaseUrl,
    temporalAddress: given.temporalAddress,
    temporal: { chosen: given.temporalBinary },
    apiPort: given.apiPort,
    signal: ending.signal,
  });
}

async function stop(): Promise<void> {
  ending.abort();
  await embedded?.then(
    async (running) => running.stop(),
    () => undefined,
  );
  if (process.connected) process.disconnect();
}

async function hear(message: { readonly start?: Start; readonly announce?: string }): Promise<void> {
  if (message.start !== undefined) {
    embedded = start(message.start);
    const { databaseUrl, temporalAddress } = await embedded;
    process.send?.({ ready: { databaseUrl, temporalAddress } });
  }
  if (message.announce !== undefined) await (await embedded)?.announce(message.announce);
}

function fail(error: unknown): void {
  const detail = error instanceof Error ? error.message : "Something that is no error was thrown.";
  const { code, next } = error instanceof PortTakenError || error instanceof HomeInUseError ? error : {};
  if (process.connected && !ending.signal.aborted) process.send?.({ failed: { detail, code, next } });
  process.exitCode = 1;
  void stop();
}

process.on("message", (message) => void hear(message as Parameters<typeof hear>[0]).catch(fail));
process.on("SIGTERM", () => void stop().catch(fail));
process.on("SIGINT", () => undefined);
process.on("disconnect", () => void stop().catch(fail));
