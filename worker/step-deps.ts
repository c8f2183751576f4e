import { createCallCounts } from "../activities/count-calls.ts";
import { createPrecedence } from "../activities/precedence.ts";
import { createSeenAccepted } from "../activities/seen-accepted.ts";
import { createStepBooks } from "../activities/step-books.ts";
import type { StepDeps } from "../activities/step-deps.ts";
import { createFingerprints } from "../custody/fingerprint.ts";
import { openKeyFile } from "../custody/key-file.ts";
import { openSigningKeys } from "../custody/signing-key-file.ts";
import { openCustody } from "../custody/open-custody.ts";
import { createObservationKeys } from "../custody/observation-keys.ts";
import type { Log } from "../custody/scrubbed-log.ts";
import type { Scrubber } from "../custody/scrubber.ts";
import type { Ledger } from "../ledger/database.ts";
import { createRequestBudgets } from "../ledger/request-budgets.ts";
import { catalog } from "../providers/catalog.ts";
import type { Egress } from "../providers/contract/egress.ts";
import { createEgress } from "../providers/contract/egress-client.ts";
import { version } from "../release.ts";
import type { Settings } from "../settings.ts";

/** Everything that the steps of this worker need, from its settings. */
export async function openStepDeps(
  settings: Settings,
  ledger: Ledger,
  scrubber: Scrubber,
  log: Log,
  temporal: () => Promise<string>,
): Promise<StepDeps> {
  // Only the process that takes values in may make a key file: a worker without it must not invent one.
  const custodyKeys = await openKeyFile(settings.keyFiles.custody, { create: false });
  const fingerprintKeys = await openKeyFile(settings.keyFiles.fingerprint, { create: false });
  const { signing: signingKey } = await openSigningKeys(settings.keyFiles.audit, { create: false });
  const egress = egressOf(settings, log);
  return {
    ledger,
    custody: openCustody({ places: settings.custodies, ledger, keys: custodyKeys, fetch: egress, log: log.warn }),
    fingerprints: createFingerprints(fingerprintKeys),
    scrubber,
    catalog,
    egress,
    allowed: { roots: settings.fileRoots, reloads: settings.reloads, programs: settings.programs },
    observationKeys: createObservationKeys(fingerprintKeys),
    log: log.warn,
    books: createStepBooks(ledger),
    precedence: createPrecedence(),
    seenAccepted: createSeenAccepted(),
    calls: createCallCounts(),
    budgets: createRequestBudgets(ledger),
    about: { release: version, temporal },
    signingKey,
  };
}

/** The way out by HTTP, by the rules of this worker's settings. `timeoutMs`: of one call. */
export function egressOf(settings: Settings, log: Log, timeoutMs?: number): Egress {
  const rules = { allowedLocalPorts: [...settings.egressLocalPorts], ownPorts: [settings.port], log };
  return createEgress(timeoutMs === undefined ? rules : { ...rules, timeoutMs });
}
