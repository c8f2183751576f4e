import { assertPortFree } from "./api-port.ts";
import { boundLogs, watchLogs } from "./bounded-log.ts";
import { findTemporal, type TemporalSearch } from "./find-temporal.ts";
import { ownHome, type Home } from "./home.ts";
import { startPostgres } from "./postgres.ts";
import { startTemporal } from "./temporal.ts";

export interface EmbeddedOptions {
  readonly home: Home;
  readonly log?: ((line: string) => void) | undefined;
  /** How the `temporal` program is found. */
  readonly temporal?: TemporalSearch | undefined;
  /** A ledger that is there already: then no PostgreSQL is started. */
  readonly databaseUrl?: string | undefined;
  /** A Temporal that is there already: then none is started. */
  readonly temporalAddress?: string | undefined;
  /** Where the API will listen: nothing is started when that is taken. */
  readonly apiPort?: number | undefined;
  /** Ends a start that is under way; what had started is stopped. */
  readonly signal?: AbortSignal | undefined;
}

export interface Embedded {
  readonly databaseUrl: string;
  /** `host:port` */
  readonly temporalAddress: string;
  /** Tells a second `rekey up` on this home where the API answers. */
  announce(address: string): Promise<void>;
  /** Stops the servers that run here and gives the home free. May be repeated. */
  stop(): Promise<void>;
}

interface Started {
  readonly at: string;
  stop(): Promise<void>;
}

/**
 * Takes the home and starts its servers side by side, or adopts those a killed process left running. Throws
 * `HomeInUseError` when another process runs the home, `PortTakenError` when one has the API's port; after any failure nothing is left running.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { home, signal } = options;
  signal?.throwIfAborted();
  const owned = await ownHome(home);
  await assertPortFree(options.apiPort ?? 0).catch(async (error: unknown) => {
    await owned.release();
    throw error;
  });
  // Whoever writes there holds its file open and cannot rotate it: this process runs as long as all of them.
  await boundLogs(home.logs).catch(() => undefined);
  const unwatch = watchLogs(home.logs);
  const starts = [database(options), temporal(options)] as const;
  const ended = await Promise.allSettled(starts);
  let stopping: Promise<void> | undefined;
  const stop = () =>
    (stopping ??= stopAll(
      ended.flatMap((end) => (end.status === "fulfilled" ? [end.value] : [])),
      () => {
        unwatch();
        return owned.release();
      },
    ));
  try {
    signal?.throwIfAborted();
    const [ledger, engine] = await Promise.all(starts);
    return { databaseUrl: ledger.at, temporalAddress: engine.at, announce: (address) => owned.announce(address), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function database({ home, log, databaseUrl }: EmbeddedOptions): Promise<Started> {
  if (databaseUrl !== undefined) return given(databaseUrl);
  const server = await startPostgres({ folder: home.postgres, port: "socket-only", database: "rekey", log });
  return { at: server.url, stop: () => server.stop() };
}

async function temporal({ home, log, temporal: search, temporalAddress, signal }: EmbeddedOptions): Promise<Started> {
  if (temporalAddress !== undefined) return given(temporalAddress);
  const binary = await findTemporal({ log, signal, ...search });
  const server = await startTemporal({ folder: home.temporal, binary, log });
  return { at: server.address, stop: () => server.stop() };
}

const given = (at: string): Started => ({ at, stop: () => Promise.resolve() });

/** One server that does not stop must not keep the other one up, nor the home taken. */
async function stopAll(servers: readonly Started[], release: () => Promise<void>): Promise<void> {
  const ended = await Promise.allSettled(servers.map((server) => server.stop()));
  await release();
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}
