import { sql, type Kysely } from "kysely";
import { admit, type CommandKind, type RotationState } from "../domain/command.ts";
import { changed, hear, type Change } from "../domain/hear.ts";
import { recordEvents, type AuditEvent } from "./audit.ts";
import { asCommand } from "./commands.ts";
import { drainAgain } from "./felt-effects.ts";
import { answerHold } from "./holds.ts";
import { outdateOpenOperations } from "./operations.ts";
import { pinConnections } from "./pinned-connections.ts";
import { pinConsumers } from "./pinned-consumers.ts";
import { rotationState } from "./rotation-state.ts";
import { settleEmergencies } from "./settle-emergencies.ts";
import type { Tables } from "./tables.ts";

interface PendingRow {
  readonly id: string;
  readonly rotation_id: string;
  readonly credential_id: string;
  readonly kind: CommandKind;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly actor: string;
}

interface Heard {
  readonly row: PendingRow;
  readonly change: Change;
}

/**
 * Consumes the pending commands of these rotations in the order in which they were given. Each is admitted once more,
 * since the rotation may have moved since; one that no longer fits is refused with its sentence, never dropped.
 */
export async function hearCommands(trx: Kysely<Tables>, rotationIds: readonly string[]): Promise<void> {
  if (rotationIds.length === 0) return;
  const { rows } = await sql<PendingRow>`
    SELECT m.id, m.rotation_id, r.credential_id, m.kind, m.arguments, m.actor
    FROM commands m JOIN rotations r ON r.id = m.rotation_id
    WHERE m.rotation_id = ANY(${[...rotationIds]}) AND m.state = 'pending' ORDER BY m.at, m.id FOR UPDATE OF m`.execute(
    trx,
  );
  if (rows.length === 0) return;
  const states = new Map(await rotationState(trx, [...new Set(rows.map((row) => row.rotation_id))]));
  const events: AuditEvent[] = [];
  const contained = new Set<string>();
  for (const row of rows) {
    const refusal = await hearOne(trx, row, { states, contained });
    await sql`
      UPDATE commands SET state = ${refusal === undefined ? "consumed" : "refused"}, refusal = ${refusal ?? null}
      WHERE id = ${row.id}`.execute(trx);
    events.push({
      credentialId: row.credential_id,
      rotationId: row.rotation_id,
      actor: row.actor,
      action: refusal === undefined ? "command.heard" : "command.refused",
      details: { command: row.id, kind: row.kind, refusal },
    });
  }
  await recordEvents(trx, events);
  if (contained.size > 0) await settleEmergencies(trx, [...contained]);
}

/** Undefined when it was heard; else why it was not. */
async function hearOne(
  trx: Kysely<Tables>,
  row: PendingRow,
  { states, contained }: { readonly states: Map<string, RotationState>; readonly contained: Set<string> },
): Promise<string | undefined> {
  const state = states.get(row.rotation_id);
  if (state === undefined) return "The rotation does not exist.";
  const command = asCommand(row.kind, row.arguments);
  const admission = admit(command, state);
  if (!admission.ok) return admission.reason;
  const change = hear(command, state);
  if (command.kind === "decide" || (change.answersHold === true && state.hold !== undefined)) {
    const decision = command.kind === "decide" ? command.decision : "roll-back";
    const reason = typeof row.arguments["reason"] === "string" ? row.arguments["reason"] : "";
    await answerHold(trx, { holdId: state.hold?.holdId ?? "", decision, decidedBy: row.actor, reason });
  }
  await applyChange(trx, { row, change });
  if (change.contains === true) contained.add(row.credential_id);
  if (command.kind === "decide" && command.decision === "retry") await pinAnew(trx, row.rotation_id, state);
  states.set(row.rotation_id, changed(state, change));
  return undefined;
}

/** What a person has corrected before trying again does not count as changed behind the rotation's back. */
async function pinAnew(
  trx: Kysely<Tables>,
  rotationId: string,
  { hold, phase, direction }: RotationState,
): Promise<void> {
  if (hold?.code === "connection_changed") await pinConnections(trx, rotationId);
  if (phase === "reserved" && direction === "forward") await pinConsumers(trx, rotationId);
}

async function applyChange(trx: Kysely<Tables>, { row, change }: Heard): Promise<void> {
  await sql`
    UPDATE rotations SET
      paused = coalesce(${change.paused ?? null}, paused),
      urgent = coalesce(${change.urgent ?? null}, urgent),
      extended_ms = extended_ms + ${change.extendMs ?? 0},
      direction = CASE WHEN ${change.turnsToUndo === true} THEN 'undo' ELSE direction END,
      -- what was accepted going forward says nothing about the candidate
      accepted_unproven = CASE WHEN ${change.turnsToUndo === true} THEN false
        ELSE accepted_unproven OR ${change.acceptsUnproven === true} END,
      wait_until = CASE WHEN ${change.looksNow === true} THEN NULL ELSE wait_until END,
      attempts = CASE WHEN ${change.answersHold === true} THEN 0 ELSE attempts END,
      asked_since = CASE WHEN ${change.answersHold === true} THEN clock_timestamp() ELSE asked_since END
    WHERE id = ${row.rotation_id}`.execute(trx);
  if (change.paused === false) await drainAgain(trx, [row.rotation_id]);
  if (change.contains === true)
    await sql`UPDATE emergencies SET contain = true WHERE credential_id = ${row.credential_id} AND outcome IS NULL`.execute(
      trx,
    );
  if (change.turnsToUndo === true) await outdateOpenOperations(trx, [row.rotation_id]);
  if (change.acknowledged !== undefined) {
    await sql`
      INSERT INTO evidence (rotation_id, consumer_id, version, source, strength, complete, instances)
      VALUES (${row.rotation_id}, ${change.acknowledged.consumerId}, ${change.acknowledged.version},
        'person', 'acknowledged', true, 1)`.execute(trx);
  }
}
