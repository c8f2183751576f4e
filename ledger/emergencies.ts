import { sql, type Kysely, type Transaction } from "kysely";
import type { DeadlineOutcome, SlotChoice } from "../domain/emergency.ts";
import { recordEvent } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { endOfDeleted } from "./end-emergencies.ts";
import { revivedAt } from "./leak-views.ts";
import { newId } from "./new-id.ts";
import { settleEmergencies, type Settled } from "./settle-emergencies.ts";
import type { Tables } from "./tables.ts";

export interface EmergencyRequest {
  readonly credentialId: string;
  /** Undefined: all that are alive now, a candidate that has been made included. */
  readonly versions?: readonly number[] | undefined;
  readonly reason: string;
  readonly actor: string;
  readonly contain: boolean;
  readonly deadlineMs: number;
  readonly atDeadline: DeadlineOutcome;
  /** Where the issuer has no room for another version; undefined: as the rotation's order suggests. */
  readonly whenFull?: SlotChoice | undefined;
  /** Ids of the credential's consumers that may be the leak. */
  readonly suspects: readonly string[];
}

export type Declared = Omit<Settled, "how"> & {
  readonly how: Settled["how"] | "dead" | "unknown-version";
  readonly emergencyId?: string | undefined;
  /** Those to be proven dead. */
  readonly versions: readonly number[];
  /** Named, and no version of the credential. */
  readonly missing: readonly number[];
  /** Named, and proven dead already. */
  readonly dead: readonly number[];
  /** Of those, which somebody has brought back at the issuer since. */
  readonly revived: readonly number[];
  /** Named, and ended by a person's decision without proof of its death. */
  readonly unproven: readonly number[];
  /** Named, and never made. */
  readonly unmade: readonly number[];
  /** Not asked for, and named since suspects have them. */
  readonly alsoNamed: readonly AlsoNamed[];
};

export interface AlsoNamed {
  readonly version: number;
  /** `team/name` of those that have it. */
  readonly suspects: readonly string[];
}

interface VersionRow {
  readonly number: number;
  readonly state: string;
  /** The rotation that makes it runs and may have made it, although nothing has recorded that. */
  readonly isBegun: boolean;
  /** Its issuer lets it in again after its death, by the last look. */
  readonly isRevived: boolean;
  /** `team/name` of the suspects that have it. */
  readonly hadBy: readonly string[];
}

/**
 * Declares an emergency of one credential: marks its versions as leaked, and brings whatever runs in step with it, in one
 * transaction. Undefined when there is no such credential. Where all that was named is dead already nothing is done.
 */
export function declareEmergency(ledger: Ledger, request: EmergencyRequest): Promise<Declared | undefined> {
  return transact(ledger, async (trx) => declareIn(trx, request));
}

class RolledBack extends Error {}

/** What declaring it would do, found by doing it and taking all of it back. */
export async function previewEmergency(ledger: Ledger, request: EmergencyRequest): Promise<Declared | undefined> {
  let found: Declared | undefined;
  try {
    await transact(ledger, async (trx) => {
      found = await declareIn(trx, request);
      throw new RolledBack();
    });
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
  }
  return found;
}

async function declareIn(trx: Transaction<Tables>, request: EmergencyRequest): Promise<Declared | undefined> {
  const { credentialId } = request;
  const { rows: locked } = await sql`
    SELECT id FROM credentials WHERE id = ${credentialId} AND retired_at IS NULL FOR UPDATE`.execute(trx);
  if (locked.length === 0) return undefined;
  const known = await readVersions(trx, request);
  const wanted = [...new Set(request.versions ?? known.filter(isAlive).map(({ number }) => number))];
  const named = known.filter(({ number }) => wanted.includes(number));
  const numbered = (is: (row: VersionRow) => boolean) => named.filter(is).map(({ number }) => number);
  const others = {
    missing: wanted.filter((number) => known.every((row) => row.number !== number)),
    dead: numbered(({ state }) => state === "proven-dead"),
    revived: numbered(({ isRevived }) => isRevived),
    unproven: numbered(({ state }) => state === "accepted-unproven"),
    unmade: numbered((row) => row.state === "intended" && !row.isBegun),
  };
  // Whoever may be the leak has leaked all that it has: proven dead without it, an emergency would leave a way in.
  const had = known.filter((row) => isAlive(row) && row.hadBy.length > 0 && !wanted.includes(row.number));
  const alsoNamed = had.map(({ number: version, hadBy: suspects }) => ({ version, suspects }));
  const versions = [...numbered(isAlive), ...had.map(({ number }) => number)].toSorted((a, b) => a - b);
  if (others.missing.length > 0)
    return { credentialId, how: "unknown-version", versions: [], ...others, alsoNamed: [] };
  if (versions.length === 0) return { credentialId, how: "dead", versions, ...others, alsoNamed };
  const emergencyId = await store(trx, request, { versions, alsoNamed });
  const [settled] = await settleEmergencies(trx, [credentialId], emergencyId);
  return { credentialId, how: settled?.how ?? "refused", ...settled, emergencyId, versions, ...others, alsoNamed };
}

/**
 * All of the credential. A suspect has what it holds, what was ever on its way to it, and what it ran on when the rotation
 * that runs began: a delivery since says of the last no more.
 */
async function readVersions(
  trx: Transaction<Tables>,
  { credentialId, suspects }: EmergencyRequest,
): Promise<readonly VersionRow[]> {
  const { rows } = await sql<VersionRow>`
    SELECT v.number, v.state, EXISTS (
        SELECT FROM rotations r JOIN operations o ON o.rotation_id = r.id AND o.step IN ('issue', 'stage')
        WHERE r.credential_id = v.credential_id AND r.to_version = v.number AND r.outcome IS NULL) AS "isBegun",
      v.state = 'proven-dead' AND ${revivedAt} IS NOT NULL AS "isRevived",
      ARRAY(
        SELECT t.name || '/' || n.name FROM consumers n JOIN teams t ON t.id = n.team_id
        WHERE n.credential_id = v.credential_id AND n.id = ANY(${[...suspects]}) AND n.retired_at IS NULL AND (
          n.held_version = v.number
          OR EXISTS (SELECT FROM deliveries d JOIN rotations r ON r.id = d.rotation_id
            WHERE d.consumer_id = n.id AND d.version = v.number AND r.credential_id = v.credential_id)
          OR EXISTS (SELECT FROM rotations r WHERE r.credential_id = v.credential_id AND r.outcome IS NULL
            AND r.from_version = v.number AND jsonb_exists(r.pinned -> 'consumers', n.id)))
        ORDER BY 1) AS "hadBy"
    FROM versions v WHERE v.credential_id = ${credentialId} ORDER BY v.number`.execute(trx);
  return rows;
}

/** What its issuer accepts, or may. */
const isAlive = ({ state, isBegun }: VersionRow): boolean =>
  state === "live" || state === "disabled" || state === "ended" || (state === "intended" && isBegun);

async function store(
  trx: Transaction<Tables>,
  request: EmergencyRequest,
  { versions, alsoNamed }: Pick<Declared, "versions" | "alsoNamed">,
): Promise<string> {
  const { credentialId, reason, actor, contain, deadlineMs, atDeadline, whenFull, suspects } = request;
  const id = newId("emergency");
  await sql`
    UPDATE versions SET compromised_at = coalesce(compromised_at, clock_timestamp())
    WHERE credential_id = ${credentialId} AND number = ANY(${[...versions]})`.execute(trx);
  await sql`
    INSERT INTO emergencies
      (id, credential_id, versions, requested_by, reason, contain, deadline, at_deadline, when_full)
    VALUES (${id}, ${credentialId}, ${[...versions]}, ${actor}, ${reason}, ${contain},
      clock_timestamp() + ${deadlineMs} * interval '1 millisecond', ${atDeadline}, ${whenFull ?? null})`.execute(trx);
  await sql`
    INSERT INTO suspicions (emergency_id, consumer_id)
    SELECT ${id}, n.id FROM consumers n
    WHERE n.credential_id = ${credentialId} AND n.id = ANY(${[...suspects]}) AND n.retired_at IS NULL`.execute(trx);
  const asked = {
    ...{ reason, contain, deadlineMs, atDeadline, suspects: [...suspects] },
    ...(whenFull === undefined ? {} : { whenFull }),
  };
  const also = alsoNamed.length === 0 ? {} : { alsoNamed: alsoNamed.map(({ version }) => version) };
  const details = { emergency: id, versions, ...also, ...asked };
  // In the story of the rotation that runs; one that begins because of it tells of it where it is reserved.
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM rotations WHERE credential_id = ${credentialId} AND outcome IS NULL`.execute(trx);
  await recordEvent(trx, { credentialId, rotationId: rows[0]?.id, actor, action: "emergency.declared", details });
  return id;
}

/** Somebody answers for it that a consumer is not, or no more, the leak. False when it was not suspected. */
export function releaseConsumer(
  ledger: Ledger,
  { consumerId, actor, reason }: { readonly consumerId: string; readonly actor: string; readonly reason: string },
): Promise<boolean> {
  return transact(ledger, async (trx) => {
    const { rows: credentials } = await sql<{ id: string }>`
      SELECT c.id FROM credentials c WHERE c.id = (SELECT credential_id FROM consumers WHERE id = ${consumerId})
      FOR UPDATE`.execute(trx);
    const { rows } = await sql<{ emergency_id: string }>`
      UPDATE suspicions SET released_at = clock_timestamp(), released_by = ${actor}, reason = ${reason}
      WHERE consumer_id = ${consumerId} AND released_at IS NULL RETURNING emergency_id`.execute(trx);
    if (rows.length === 0) return false;
    const details = { consumer: consumerId, emergencies: rows.map((row) => row.emergency_id), reason };
    await recordEvent(trx, { credentialId: credentials[0]?.id, actor, action: "consumer.released", details });
    return true;
  });
}

/** At most so many at once, so that no transaction is long. */
const atOnce = 50;

/**
 * Brings emergencies on whose time is over, that are met, or for which no rotation could begin yet; answers with how many it
 * looked at. Any number of processes may do so at once.
 */
export async function settleDue(ledger: Ledger): Promise<number> {
  const due = await readDue(ledger.db);
  for (const credentialId of due)
    await transact(ledger, async (trx) => {
      const { rows } = await sql<{ isDeleted: boolean }>`
        SELECT retired_at IS NOT NULL AS "isDeleted" FROM credentials WHERE id = ${credentialId} FOR UPDATE`.execute(
        trx,
      );
      // Deleted by a release that left its emergencies open: none can ever begin.
      if (rows[0]?.isDeleted === true) await endOfDeleted(trx, credentialId, "system:ledger");
      else await settleEmergencies(trx, [credentialId]);
    });
  return due.length;
}

async function readDue(db: Kysely<Tables>): Promise<readonly string[]> {
  const { rows } = await sql<{ credential_id: string }>`
    SELECT e.credential_id FROM emergencies e
    WHERE e.outcome IS NULL AND (
      (e.deadline <= clock_timestamp() AND NOT e.is_overdue AND NOT e.contain)
      -- it is met, although its rotation still waits for a consumer that was cut off
      OR NOT EXISTS (SELECT FROM versions v WHERE v.credential_id = e.credential_id AND v.number = ANY(e.versions)
        AND v.state NOT IN ('proven-dead', 'accepted-unproven'))
      -- one that could not begin is served by no rotation that was reserved since, until it is settled with that
      OR NOT EXISTS (SELECT FROM rotations r WHERE r.credential_id = e.credential_id AND r.outcome IS NULL
        AND r.urgent AND e.refused_code IS NULL))
    -- by chance, so that many that cannot begin keep none back
    GROUP BY e.credential_id ORDER BY random() LIMIT ${atOnce}`.execute(db);
  return rows.map((row) => row.credential_id);
}
