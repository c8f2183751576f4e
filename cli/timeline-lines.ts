import type { Answer } from "../api/client.ts";
import type { Rotation } from "./rotation-lines.ts";
import { clock } from "./show-time.ts";
import { table } from "./table.ts";

type AuditRow = Answer<"listAudit">["rows"][number];

/** What happened, oldest first. The rows of single operations are left to `rekey audit list`. */
export function timelineLines(rows: readonly AuditRow[], rotation: Rotation): readonly string[] {
  const names = new Map(rotation.consumers.map(({ id, ref }) => [id, ref]));
  const shown = rows.toReversed().filter(({ action }) => !action.startsWith("operation."));
  return [
    "Timeline",
    ...table(
      shown.map(({ at, action, actor, details }) => [
        `  ${clock(at, rotation.now)}`,
        action,
        actor,
        summarize(details, names),
      ]),
    ),
  ];
}

/** Ids that say nothing to a person, and what the row's own name says already. */
const unsaid = new Set(["claim", "command", "holdId", "follows"]);

function summarize(details: AuditRow["details"], names: ReadonlyMap<string, string>): string {
  return Object.entries(details)
    .filter(([name, value]) => !unsaid.has(name) && value !== null && value !== "")
    .map(([name, value]) => {
      if (Array.isArray(value)) return `${value.length} ${name}`;
      return `${name} ${typeof value === "string" ? (names.get(value) ?? value) : JSON.stringify(value)}`;
    })
    .join(", ")
    .slice(0, 160);
}
