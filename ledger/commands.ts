import { sql, type Transaction } from "kysely";
import { admit, type Command, type CommandKind } from "../domain/command.ts";
import { recordEvent } from "./audit.ts";
import type { Ledger } from "./database.ts";
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
  readonly actor: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/**
 * Stores a command for the rotation's next step, with its audit row, if it fits the rotation as it is now. The step asks
 * again when it consumes the row. Undefined when there is no such rotation.
 */
export function giveCommand(ledger: Ledger, request: CommandRequest): Promise<CommandAnswer | undefined> {
  const { rotationId, command } = request;
  return ledger.db.transaction().execute(async (trx) => {
    const credentialId = await lockRotation(trx, rotationId);
    const state = (await rotationState(trx, [rotationId])).get(rotationId);
    if (credentialId === undefined || state === undefined) return undefined;
    const admission = admit(command, state);
    if (!admission.ok) return admission;
    const waiting = await findWaiting(trx, rotationId, command);
    if (waiting !== undefined) return waiting;
    return store(trx, credentialId, request);
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

/** Two operators who say the same are heard once; the second answer to one hold is refused, not silently lost. */
async function findWaiting(
  trx: Transaction<Tables>,
  rotationId: string,
  command: Command,
): Promise<CommandAnswer | undefined> {
  if (command.kind === "extend") return undefined;
  const { rows } = await sql<PendingRow>`
    SELECT id, actor, arguments FROM commands
    WHERE rotation_id = ${rotationId} AND state = 'pending' AND kind = ${command.kind} ORDER BY at, id`.execute(trx);
  if (command.kind === "decide") {
    const first = rows.find((row) => row.arguments["holdId"] === command.holdId);
    if (first === undefined) return undefined;
    if (first.arguments["decision"] === command.decision) return { ok: true, commandId: first.id, isNew: false };
    return {
      ok: false,
      reason: `${first.actor} has answered that hold with ${String(first.arguments["decision"])}; the first answer stands.`,
    };
  }
  const wanted = argumentsOf(command);
  const same = rows.find((row) => Object.entries(wanted).every(([name, value]) => row.arguments[name] === value));
  return same === undefined ? undefined : { ok: true, commandId: same.id, isNew: false };
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
