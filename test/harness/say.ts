import { sql } from "kysely";
import type { Command } from "../../domain/command.ts";
import { giveCommand } from "../../ledger/commands.ts";
import { untilHeld, untilLedger, readRotation, type RotationRow, type World } from "./world.ts";

/** Gives a command as an operator does; a refusal fails the test with its sentence. */
export async function say(world: Pick<World, "ledger">, rotationId: string, command: Command): Promise<void> {
  const answer = await giveCommand(world.ledger, { rotationId, command, actor: "tok_operator", reason: "test" });
  if (answer?.ok !== true) throw new Error(`refused: ${answer?.reason ?? "no such rotation"}`);
}

/** Waits for the next hold, answers it naming every gap, and returns what was held. */
export async function answerHold(world: World, rotationId: string, decision: "retry" | "roll-back" | "accept") {
  const hold = await untilHeld(world, rotationId);
  const gaps = (hold.gaps as readonly { readonly key: string }[]).map(({ key }) => key);
  await say(world, rotationId, { kind: "decide", holdId: hold.id, decision, gaps });
  await untilLedger(async () => ((await readRotation(world, rotationId)).hold?.id === hold.id ? undefined : true));
  return hold;
}

export async function untilPhase(world: World, rotationId: string, phase: string): Promise<RotationRow> {
  return untilLedger(async () => {
    const row = await readRotation(world, rotationId);
    if (row.phase !== phase && (row.outcome !== null || row.hold !== null))
      throw new Error(`never ${phase}: ${row.phase} ${row.outcome} ${row.hold?.code} ${row.hold?.detail}`);
    return row.phase === phase ? row : undefined;
  });
}

/** States of a credential's versions, oldest first, and whether custody still has each, wherever it lies. */
export async function versionsOf(
  { ledger, elsewhere = [] }: Pick<World, "ledger"> & Partial<Pick<World, "elsewhere">>,
  credentialId: string,
) {
  const { rows } = await sql<{ number: number; state: string; kept: boolean }>`
    SELECT v.number, v.state, EXISTS (
      SELECT FROM custody_values c WHERE c.key LIKE '%' || v.credential_id || '/' || v.number || '/%') AS kept
    FROM versions v WHERE v.credential_id = ${credentialId} ORDER BY v.number`.execute(ledger.db);
  const found = await Promise.all(elsewhere.map(async ({ resting }) => resting(credentialId)));
  const numbers = found.flat().map(({ number }) => number);
  return rows.map((row) => ({ ...row, kept: row.kept || numbers.includes(row.number) }));
}

export async function auditActions({ ledger }: Pick<World, "ledger">, rotationId: string): Promise<readonly string[]> {
  const { rows } = await sql<{ action: string }>`
    SELECT action FROM audit WHERE rotation_id = ${rotationId} ORDER BY id`.execute(ledger.db);
  return rows.map(({ action }) => action);
}
