import type { Answer } from "../api/client.ts";
import { minute, span } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap, wrapAfter } from "./wrap.ts";

type Calendar = Answer<"showCalendar">;
type Entry = Calendar["entries"][number];
export type Freeze = Answer<"listFreezes">["freezes"][number];

const indent = "      ";

/** What runs, what is due, and what comes next, each with what keeps it; times are UTC. */
export function calendarLines({ now, until, entries, freezes, isMore }: Calendar): readonly string[] {
  const of = (state: Entry["state"]) => entries.filter((entry) => entry.state === state);
  const last = isMore
    ? [`These are the first ${entries.length}. To see more: --limit 500; or name a --team or an --environment.`]
    : [];
  return [
    `It is ${minute(now)} UTC, as all times here are.`,
    ...(freezes.length === 0 ? [] : ["", "Freezes", ...freezes.flatMap(freezeLines)]),
    ...section("Running", of("running"), ({ rotation }) => rotation ?? ""),
    ...section("Due", of("due"), ({ dueAt }) => `for ${span(Date.parse(now) - Date.parse(dueAt))}`),
    ...section(`Next, until ${minute(until)}`, of("upcoming"), () => ""),
    ...(entries.length === 0 ? ["", ...wrap(none, "")] : []),
    ...last.flatMap((line) => ["", ...wrap(line, "")]),
  ];
}

const none =
  "Nothing is due within that time. What has no schedule is rotated when somebody asks: rekey rotate NAME. What was applied or adopted within the last seconds is reckoned by the next sweep.";

function section(title: string, entries: readonly Entry[], more: (entry: Entry) => string): readonly string[] {
  if (entries.length === 0) return [];
  const rows = table(
    entries.map((entry) => {
      const { state, credential, environment, criticality, beginsAt, since, because } = entry;
      const begins = beginsAt === null ? "never" : minute(beginsAt);
      const reason = because === "" ? "" : `by its ${because}`;
      return [
        ...(state === "upcoming" ? [`  ${begins}`, credential] : [`  ${credential}`]),
        ...[environment, criticality ?? ""],
        ...[state === "running" ? (since === null ? "" : `since ${minute(since)}`) : reason, more(entry)],
      ];
    }),
  );
  return ["", title, ...entries.flatMap((entry, at) => [rows[at] ?? "", ...whyLines(entry)])];
}

/** One line each for what is due; what comes later is due, and then waits, in one. */
function whyLines({ state, dueAt, why }: Entry): readonly string[] {
  const waits = `${indent}waits: `;
  const each = why.map(printable);
  if (state !== "upcoming") return each.flatMap((one) => wrapAfter(waits, one, " ".repeat(waits.length)));
  return each.length === 0 ? [] : wrapAfter(indent, `due ${minute(dueAt)}; then ${each.join("; ")}`, indent);
}

/** Whose, until when, why, and the name to end it by. */
export function freezeLines(freeze: Freeze): readonly string[] {
  const { id, from, until, reason, isActive, endedAt } = freeze;
  const state = endedAt === null ? (isActive ? "until" : `from ${minute(from)} until`) : "ended, was until";
  return [`  ${frozen(freeze)}  ${state} ${minute(until)}  ${id}`, ...wrap(printable(reason), indent)];
}

/** What a freeze is of. */
export function frozen({ team, environment }: Freeze): string {
  if (team !== null) return `team ${team}`;
  return environment === null ? "everything" : `environment ${environment}`;
}
