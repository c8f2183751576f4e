import { sql, type Transaction } from "kysely";
import { admit, type Command, type CommandKind, type RotationState } from "../domain/command.ts";
import { changed, hear } from "../domain/hear.ts";
import { recordEvent } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import { rotationState } from "./rotation-state.ts";
import type { Tables } from "./tables.ts";

export interface CommandRequest {
  readonly rotationId: string;
  readonly command: Command;
  /** Id of the token or person. */
  readonly actor: string;
  /** In the person's words; part of the record. */
  readonly reason?: string;
}

export type CommandAnswer =
  /** `isNew` false: the same command waits already, and this is that one. */
  | { readonly ok: true; readonly commandId: string; readonly isNew: boolean }
  | { readonly ok: false; readonly reason: string };

interface PendingRow {
  readonly id: string;
  readonly kind: CommandKind;
  readonly actor: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/**
 * Stores a command for the rotation's next step, with its audit row, if it fits the rotation as it is now. The step asks
 * again when it consumes the row. Undefined when there is no such rotation.
 */
export function giveCommand(ledger: Ledger, request: CommandRequest): Promise<CommandAnswer | undefined> {
  const { rotationId, command } = request;
  return transact(ledger, async (trx) => {
    const credentialId = await lockRotation(trx, rotationId);
    const now = (await rotationState(trx, [rotationId])).get(rotationId);
    if (credentialId === undefined || now === undefined) return undefined;
    const pending = await readPending(trx, rotationId);
    const waiting = findWaiting(pending, command);
    if (waiting !== undefined) return waiting;
    const admission = admit(command, pending.reduce(afterPending, now));
    return admission.ok ? store(trx, credentialId, request) : admission;
  });
}

/** Credential first, as everywhere, so that nobody waits in a circle. */
async function lockRotation(trx: Transaction<Tables>, rotationId: string): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    SELECT c.id FROM credentials c WHERE c.id = (SELECT credential_id FROM rotations WHERE id = ${rotationId})
    FOR UPDATE`.execute(trx);
  await sql`SELECT id FROM rotations WHERE id = ${rotationId} FOR UPDATE`.execute(trx);
  return rows[0]?.id;
}

async function readPending(trx: Transaction<Tables>, rotationId: string): Promise<readonly PendingRow[]> {
  const { rows } = await sql<PendingRow>`
    SELECT id, kind, actor, arguments FROM commands
    WHERE rotation_id = ${rotationId} AND state = 'pending' ORDER BY at, id`.execute(trx);
  return rows;
}

/** The rotation as it will be once the step has heard what waits: a resume may follow a pause that nobody heard yet. */
function afterPending(state: RotationState, row: PendingRow): RotationState {
  const command = asCommand(row.kind, row.arguments);
  return admit(command, state).ok ? changed(state, hear(command, state)) : state;
}

/** Two operators who say the same are heard once; the second answer to one hold is refused, not silently lost. */
function findWaiting(pending: readonly PendingRow[], command: Command): CommandAnswer | undefined {
  if (command.kind === "extend") return undefined;
  if (command.kind === "decide") {
    const first = pending.find((row) => row.kind === "decide" && row.arguments["holdId"] === command.holdId);
    if (first === undefined) return undefined;
    if (first.arguments["decision"] === command.decision) return { ok: true, commandId: first.id, isNew: false };
    return {
      ok: false,
      reason: `${first.actor} has answered that hold with ${String(first.arguments["decision"])}; the first answer stands.`,
    };
  }
  // Only the last one counts: pause, resume, pause are three commands.
  const last = pending.at(-1);
  const wanted = argumentsOf(command);
  const isSame =
    last?.kind === command.kind && Object.entries(wanted).every(([name, value]) => last.arguments[name] === value);
  return isSame ? { ok: true, commandId: last.id, isNew: false } : undefined;
}

async function store(
  trx: Transaction<Tables>,
  credentialId: string,
  { rotationId, command, actor, reason }: CommandRequest,
): Promise<CommandAnswer> {
  const commandId = newId("command");
  const given = { ...argumentsOf(command), reason };
  await sql`
    INSERT INTO commands (id, rotation_id, kind, arguments, actor)
    VALUES (${commandId}, ${rotationId}, ${command.kind}, ${JSON.stringify(given)}::jsonb, ${actor})`.execute(trx);
  await recordEvent(trx, {
    credentialId,
    rotationId,
    actor,
    action: "command.given",
    details: { command: commandId, kind: command.kind, ...given },
  });
  return { ok: true, commandId, isNew: true };
}

function argumentsOf({ kind: _, ...rest }: Command) {
  return rest as Omit<Command, "kind"> & Readonly<Record<string, string | number | readonly string[]>>;
}

/** The command that a row holds: the inverse of what `giveCommand` stored. */
export function asCommand(kind: CommandKind, stored: Readonly<Record<string, unknown>>): Command {
  const { reason: _, ...rest } = stored;
  return { kind, ...rest } as Command;
}
