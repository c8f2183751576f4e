import { sql, type Kysely } from "kysely";
import type { Obstruction } from "../domain/emergency.ts";
import { readFeltWaits } from "./felt-effects.ts";
import { mostFailures } from "./sweep-due.ts";
import type { Tables } from "./tables.ts";

/** What would have kept a routine rotation, and does not keep an emergency: a closed vocabulary, and what it says. */
export interface Overridden {
  readonly what: Obstruction;
  /** In the words of whoever declared it; of a hold its code. */
  readonly why?: string | undefined;
  /** ISO 8601. */
  readonly until?: string | undefined;
}

interface Row {
  readonly not_before: Date | null;
  readonly failures: number;
}

/**
 * What stands in the way of a rotation as routine work. Ask before it becomes urgent: nothing does afterwards. `held` is
 * the code of its open hold.
 */
export async function readOverridden(
  trx: Kysely<Tables>,
  of: {
    readonly credentialId: string;
    readonly rotationId: string;
    readonly paused?: boolean;
    readonly held?: string | undefined;
    /** Absent: it ran already, so that nothing of when it may begin matters. */
    readonly isNew?: boolean;
  },
): Promise<readonly Overridden[]> {
  const felt = (await readFeltWaits(trx, [of.rotationId])).get(of.rotationId)?.obstacles ?? [];
  const obstacles = felt.map((one): Overridden => {
    const until = Number.isFinite(one.untilMs) ? new Date(one.untilMs).toISOString() : undefined;
    if (one.kind === "window") return { what: "window", until };
    return { what: one.kind === "pause" ? "policy-pause" : "freeze", why: one.reason, until };
  });
  return [
    ...obstacles,
    ...(of.paused === true ? [{ what: "pause" } as const] : []),
    ...(of.held === undefined ? [] : [{ what: "hold", why: of.held } as const]),
    ...(of.isNew === true ? await readBackOff(trx, of.credentialId) : []),
  ];
}

async function readBackOff(trx: Kysely<Tables>, credentialId: string): Promise<readonly Overridden[]> {
  const { rows } = await sql<Row>`
    SELECT CASE WHEN not_before > clock_timestamp() THEN not_before END AS not_before, failures
    FROM credentials WHERE id = ${credentialId}`.execute(trx);
  const [row] = rows;
  if (row === undefined) return [];
  if (row.failures >= mostFailures) return [{ what: "given-up" }];
  return row.not_before === null ? [] : [{ what: "back-off", until: row.not_before.toISOString() }];
}
