import type { Answer } from "../api/client.ts";
import type { Rotation } from "./rotation-lines.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap } from "./wrap.ts";

type AuditRow = Answer<"listAudit">["rows"][number];

/** What happened, oldest first. The rows of single operations are left to `rekey audit list`. */
export function timelineLines(rows: readonly AuditRow[], rotation: Rotation): readonly string[] {
  const names = new Map(rotation.consumers.map(({ id, ref }) => [id, ref]));
  const shown = rows.toReversed().filter(({ action }) => !action.startsWith("operation."));
  const lines = table(
    shown.map(({ at, action, actor, details }) => [
      `  ${clock(at, rotation.now)}`,
      action,
      actor,
      summarize(details, names),
    ]),
  );
  return ["Timeline", ...lines.flatMap((line, index) => [line, ...whyLines(shown[index])])];
}

/** Why a step failed, whole, under its row. What asks a person stands in the hold already. */
function whyLines(row: AuditRow | undefined): readonly string[] {
  const { why, follows } = row?.details ?? {};
  return typeof why === "string" && follows !== "hold" ? wrap(printable(why), "             ") : [];
}

/** Ids that say nothing to a person, and what the row's own name says already. */
const unsaid = new Set(["claim", "command", "holdId", "follows", "why"]);

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
