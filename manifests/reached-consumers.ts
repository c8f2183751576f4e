import type { ConnectionRow } from "../ledger/registry-views.ts";
import type { Issues, Planning } from "./planning.ts";
import { refKey } from "./registry-snapshot.ts";

/**
 * What a connection's settings would mean for the consumers that are reached over it. Where they read cannot change
 * behind their backs: an undo would look for what was delivered somewhere else. What is not allowed any more is said, and
 * stops their next delivery.
 */
export function notesOfReached({ catalog, snapshot }: Planning, row: ConnectionRow, issues: Issues): readonly string[] {
  const notes: string[] = [];
  for (const consumer of snapshot.reached.filter(({ connectionId }) => connectionId === row.id)) {
    const definition = catalog.consumers[consumer.kind];
    if (definition?.connectionKind === undefined) continue;
    const settings = definition.connectionKind.connectionSchema.parse(row.settings);
    const config = definition.configSchema.parse(consumer.config);
    const name = `Consumer ${refKey(consumer)}`;
    const target = definition.targetOf(config, settings);
    if (target !== consumer.target)
      issues.add(
        ["spec", "config"],
        `would lead ${name} from ${consumer.target} to ${target}. Make a new connection under another name, and name that in the consumer's manifest.`,
      );
    const refusal = definition.refuses?.(settings, config, consumer.team);
    if (refusal !== undefined) notes.push(`${name} is given nothing any more. ${refusal}`);
  }
  return notes;
}
