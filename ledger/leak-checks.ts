import { sql } from "kysely";
import type { Life } from "../domain/leak.ts";
import { recordEvent, recordEvents, type AuditEvent } from "./audit.ts";
import { locks, transact, type Ledger } from "./database.ts";

/** Who wants how many values compared. */
export interface LeakCheck {
  readonly actor: string;
  readonly values: number;
}

/**
 * Notes that somebody is about to compare values, before any is compared, and how many: never which. False, and nothing
 * is noted, when that would be more than `mostAMinute` of that caller, whichever process of the API it asks.
 */
export function admitLeakCheck(ledger: Ledger, { actor, values }: LeakCheck, mostAMinute: number): Promise<boolean> {
  return transact(ledger, async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(${locks.leak}, hashtext(${actor}))`.execute(trx);
    const { rows } = await sql<{ values: number }>`
      SELECT coalesce(sum((details ->> 'values')::integer), 0) AS values FROM audit
      WHERE action = 'leak.checked' AND actor = ${actor}
        AND at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()`.execute(trx);
    if ((rows[0]?.values ?? 0) + values > mostAMinute) return false;
    await recordEvent(trx, { actor, action: "leak.checked", details: { values } });
    return true;
  });
}

/** What was recognised: once each, however many of the values were it. */
export interface LeakFinds {
  readonly versions: readonly { readonly credentialId: string; readonly version: number; readonly life: Life }[];
  readonly connections: readonly string[];
  readonly tokens: readonly string[];
}

/** Notes what was recognised, before anybody is told. */
export function recordLeakFinds(ledger: Ledger, actor: string, finds: LeakFinds): Promise<void> {
  const found = (details: NonNullable<AuditEvent["details"]>, credentialId?: string): AuditEvent => ({
    actor,
    action: "leak.found",
    credentialId,
    details,
  });
  const events = [
    ...finds.versions.map(({ credentialId, version, life }) => found({ version, life }, credentialId)),
    ...finds.connections.map((connection) => found({ connection })),
    ...finds.tokens.map((token) => found({ token })),
  ];
  return transact(ledger, (trx) => recordEvents(trx, events));
}
