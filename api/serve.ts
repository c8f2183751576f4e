import type { AddressInfo } from "node:net";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createFingerprints } from "../custody/fingerprint.ts";
import { openKeyFile } from "../custody/key-file.ts";
import { openCustody } from "../custody/open-custody.ts";
import { createLog } from "../custody/scrubbed-log.ts";
import { createScrubber } from "../custody/scrubber.ts";
import { openSigningKeys } from "../custody/signing-key-file.ts";
import { OperatorNeededError, TransientError } from "../domain/errors.ts";
import { createCustodyPlaces } from "../ledger/custody-places.ts";
import { createCustodyRows } from "../ledger/custody-rows.ts";
import { openLedger, type Ledger } from "../ledger/database.ts";
import { hasSignedHeads, readInstance } from "../ledger/health.ts";
import { grantLedger } from "../ledger/grant-ledger.ts";
import { assertSchemaCurrent, migrate } from "../ledger/migrate.ts";
import { catalog } from "../providers/catalog.ts";
import { createEgress } from "../providers/contract/egress-client.ts";
import type { Settings } from "../settings.ts";
import { buildApi } from "./build-api.ts";
import { createWatcher } from "./watcher.ts";
import { ensureTokenFile, recoverToken, type RecoveredToken, type TokenFileRule } from "./token-file.ts";

export interface Served {
  /** `http://127.0.0.1:7390`, or by the first of its names. */
  readonly address: string;
  /** Undefined when it holds no valid token, since admins have some. */
  readonly tokenFile: string | undefined;
  /** Answers what is under way, then lets go of port and ledger. */
  stop(): Promise<void>;
}

/** The address of the ledger, for those commands that need one of their own. */
function ledgerAddress({ databaseUrl }: Settings): string {
  if (databaseUrl !== undefined) return databaseUrl;
  throw new OperatorNeededError(
    "setting_invalid",
    "DATABASE_URL_FILE: name a file with the ledger's address, postgres://…; or run everything on one machine with `rekey up`.",
  );
}

/** Brings the ledger's schema up to date, and gives a login what `serve` and workers need. Names what was applied. */
export async function migrateLedger(settings: Settings, grantTo?: string): Promise<readonly string[]> {
  const url = ledgerAddress(settings);
  const applied = await migrate(url);
  if (grantTo !== undefined) await grantLedger(url, grantTo);
  return applied;
}

/** Looks without changing anything, and again for as long as somebody else may still bring the schema up to date. */
export async function checkLedger(settings: Settings, waitMs: number): Promise<void> {
  const url = ledgerAddress(settings);
  const end = performance.now() + waitMs;
  for (;;) {
    try {
      return await assertSchemaCurrent(url);
    } catch (error) {
      const isPassing =
        error instanceof TransientError || (error instanceof OperatorNeededError && error.code === "ledger_schema");
      if (!isPassing || performance.now() > end) throw error;
      await pause(1_000);
    }
  }
}

/**
 * Makes the key files that are not there yet, for an operator who gives them to several machines: `serve` makes its own only
 * for a ledger that is empty, and a worker makes none.
 */
export async function makeKeys({ keyFiles }: Settings): Promise<readonly string[]> {
  const missing = Object.values(keyFiles).filter((file) => !existsSync(file));
  for (const file of missing) await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await openKeyFile(keyFiles.custody, { create: true });
  await openKeyFile(keyFiles.fingerprint, { create: true });
  await openSigningKeys(keyFiles.audit, { create: true });
  return missing;
}

/** An admin's token by the ledger's address alone: no API is asked, and none has to run. */
export async function makeRecoveredToken(settings: Settings): Promise<RecoveredToken> {
  const url = ledgerAddress(settings);
  await assertSchemaCurrent(url);
  const ledger = openLedger(url, { applicationName: "rekey token recover", connections: 1 });
  try {
    return await recoverToken(ledger);
  } finally {
    await ledger.close();
  }
}

/** Opens ledger, custody and keys, sees to a token, and listens where the settings say. */
export async function serve(settings: Settings, rule: TokenFileRule = "first"): Promise<Served> {
  const url = ledgerAddress(settings);
  await assertSchemaCurrent(url);
  const ledger = openLedger(url, { applicationName: "rekey api" });
  // Of its own: a value goes into custody while a transaction is open, which must never wait for its like to let go.
  const values = openLedger(url, { applicationName: "rekey api custody", connections: 5 });
  const close = async () => {
    await ledger.close();
    await values.close();
  };
  try {
    const deps = await openDeps(settings, ledger, values);
    const app = await buildApi(deps);
    const watcher = createWatcher(deps);
    const hasToken = await ensureTokenFile(ledger, settings.tokenFile, rule);
    const { host } = settings.listen;
    await app.listen({ host: host.replace(/^\[|\]$/g, ""), port: settings.port }).catch((error: unknown) => {
      throw cannotListen(settings.listen, error);
    });
    watcher.start();
    const { port } = app.server.address() as AddressInfo;
    return {
      address: settings.tls === undefined ? `http://${host}:${port}` : `https://${settings.names[0] ?? host}:${port}`,
      tokenFile: hasToken ? settings.tokenFile : undefined,
      async stop() {
        await watcher.stop();
        await app.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A place outside is asked while a transaction is open: it answers soon, or the person asks again. */
const placeTimeoutMs = 5_000;

async function openDeps(settings: Settings, ledger: Ledger, values: Ledger) {
  const { keyFiles, tokenFile, logLevel, doctorLookMs, leakValuesAMinute, names, tls } = settings;
  for (const file of [...Object.values(keyFiles), tokenFile])
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // A new key file beside values that need the lost one would only hide the loss. Fingerprints of values that rest
  // elsewhere need theirs too.
  const isSealedEmpty = (await createCustodyRows(values.db).countByKeyId()).size === 0;
  const isEmpty = isSealedEmpty && (await createCustodyPlaces(values.db).isEmpty());
  const custodyKeys = await openKeyFile(keyFiles.custody, { create: isEmpty });
  const fingerprintKeys = await openKeyFile(keyFiles.fingerprint, { create: isEmpty });
  const { publicKeys } = await openSigningKeys(keyFiles.audit, { create: !(await hasSignedHeads(ledger)) });
  const log = createLog({ level: logLevel, scrubber: createScrubber() });
  const egress = createEgress({
    allowedLocalPorts: [...settings.egressLocalPorts],
    ownPorts: [settings.port],
    timeoutMs: placeTimeoutMs,
    log,
  });
  const { custodies: places, custodyDefault } = settings;
  return {
    ledger,
    custody: openCustody({ places, ledger: values, keys: custodyKeys, fetch: egress, log: log.warn }),
    custodyDefault,
    fingerprints: createFingerprints(fingerprintKeys),
    catalog,
    instance: await readInstance(ledger),
    auditKeys: publicKeys,
    custodyKey: { file: keyFiles.custody, id: custodyKeys.newest.id },
    custodyTrouble: async () => keyTrouble(keyFiles.custody, custodyKeys.newest.id),
    doctorLookMs,
    leakValuesAMinute,
    names,
    tls,
    log,
  };
}

/** The key is in memory, so that all goes on until a process starts again without its file. */
async function keyTrouble(file: string, id: string): Promise<string | undefined> {
  try {
    const keys = await openKeyFile(file, { create: false });
    if (keys.find(id) !== undefined) return undefined;
    return `${file} does not hold the key ${id} any more, under which values are sealed. Put the former file back.`;
  } catch (error) {
    return error instanceof OperatorNeededError ? error.detail : `${file} cannot be read.`;
  }
}

function cannotListen({ host, port }: Settings["listen"], error: unknown): Error {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE")
    return new OperatorNeededError("port_taken", `Something listens on ${host}:${port} already.`);
  if (code === "EACCES")
    return new OperatorNeededError("port_taken", `This user may not listen on port ${port}; take one above 1023.`);
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return new OperatorNeededError("setting_invalid", `REKEY_LISTEN: ${host} is no address of this machine.`);
  return error instanceof Error ? error : new Error("the port could not be opened");
}
