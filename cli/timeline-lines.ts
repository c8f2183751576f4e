import type { Answer } from "../api/client.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap } from "./wrap.ts";

type AuditRow = Answer<"listAudit">["rows"][number];
type Names = Answer<"listAudit">["names"];

/** What happened, oldest first. The rows of single operations are left to `rekey audit list`. */
export function timelineLines(rows: readonly AuditRow[], names: Names, now: string): readonly string[] {
  const shown = rows.toReversed().filter(({ action }) => !action.startsWith("operation."));
  const lines = table(
    shown.map(({ at, action, actor, details }) => [
      `  ${clock(at, now)}`,
      action,
      actor,
      cut(summarize(details, names), 160),
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

/** Stands last, so that what is cut is of it. */
const longest = "why";

/** `version 2, consumer shop/web`: the details of a row, with names for ids. */
export function summarize(
  details: AuditRow["details"],
  names: Names,
  isSaid: (name: string) => boolean = (name) => !unsaid.has(name),
): string {
  return Object.entries(details)
    .filter(([name, value]) => isSaid(name) && value !== null && value !== "")
    .toSorted(([a], [b]) => Number(a === longest) - Number(b === longest))
    .map(([name, value]) => {
      const say = (one: string) => names[one] ?? one;
      if (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string"))
        return `${name} ${value.map(say).join(" ")}`;
      if (Array.isArray(value)) return `${value.length} ${value.length === 1 ? name.replace(/s$/, "") : name}`;
      return `${name} ${typeof value === "string" ? say(value) : JSON.stringify(value)}`;
    })
    .join(", ")
    .replaceAll("\n", " ");
}

/** A text of that many characters at most; `…` stands for what is left out. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
