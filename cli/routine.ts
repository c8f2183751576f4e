import type { Answer } from "../api/client.ts";
import { usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { clock, span } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrapAfter, wrapPasted } from "./wrap.ts";

const indent = "      ";

/** As YAML would write it on one line. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{ ${Object.entries(value)
      .map(([name, part]) => `${name}: ${flow(part)}`)
      .join(", ")} }`;
  return String(value);
}

/** `rekey policy explain` */
export async function explain(io: Io, credential: string): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("explainPolicy", { params: { credential } });
  io.give(found);
  const rows = found.fields.map(({ field, value, from, overruled }) => [
    `  ${field}`,
    flow(value),
    from,
    overruled.length === 0 ? "" : `instead of ${overruled.map((one) => `${flow(one.value)} (${one.from})`).join(", ")}`,
  ]);
  io.say(`What rules ${found.credential}`, ...table(rows));
  if (found.trouble !== null) io.say("", ...wrapPasted("", `It can never run: ${found.trouble}.`, ""));
  return exitCodes.done;
}

export interface CalendarOptions {
  readonly team?: string;
  readonly environment?: string;
  readonly credential?: string;
  readonly days?: number;
  readonly limit?: number;
}

type Calendar = Answer<"showCalendar">;

/** `rekey calendar` */
export async function calendar(io: Io, options: CalendarOptions): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showCalendar", { query: { ...options } });
  io.give(found);
  const active = found.freezes.map((one) => freezeLine(one, found.now));
  if (active.length > 0) io.say("Freezes", ...active, "");
  const none =
    "Nothing is due within that time. What has no schedule is rotated when somebody asks: rekey rotate NAME. What was applied or adopted within the last seconds is reckoned by the next sweep.";
  io.say(
    ...(found.entries.length === 0
      ? wrapPasted("", none, "")
      : found.entries.flatMap((entry) => entryLines(entry, found.now))),
  );
  return exitCodes.done;
}

function entryLines(entry: Calendar["entries"][number], now: string): readonly string[] {
  const { credential, environment, criticality, dueAt, because, beginsAt, state, rotation, why } = entry;
  const begins = beginsAt === null ? "never" : clock(beginsAt, now);
  const when =
    state === "running"
      ? `running, ${rotation ?? ""}`
      : state === "due"
        ? `due for ${span(Date.parse(now) - Date.parse(dueAt))}`
        : `due ${clock(dueAt, now)}${begins === clock(dueAt, now) ? "" : `, begins ${begins}`}`;
  const head = `${printable(credential)} (${environment}${criticality === null ? "" : `, ${criticality}`})  ${when}, by its ${because}`;
  return [head, ...why.flatMap((one) => wrapAfter(`${indent}waits: `, printable(one), `${indent}       `))];
}

type Freeze = Answer<"listFreezes">["freezes"][number];

function freezeLine({ id, team, environment, from, until, reason, isActive, endedAt }: Freeze, now: string): string {
  const whose = team === null ? (environment === null ? "everything" : `environment ${environment}`) : `team ${team}`;
  const state = endedAt === null ? (isActive ? "until" : `from ${clock(from, now)} until`) : "ended, was until";
  return `  ${whose}  ${state} ${clock(until, now)}  ${printable(reason)}  ${id}`;
}

/** `rekey freeze list` */
export async function listFreezes(io: Io): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("listFreezes", {});
  io.give(found);
  const now = new Date().toISOString();
  io.say(...(found.freezes.length === 0 ? ["There is no freeze."] : found.freezes.map((one) => freezeLine(one, now))));
  return exitCodes.done;
}

export interface FreezeOptions {
  readonly team?: string;
  readonly environment?: string;
  readonly all?: boolean;
  readonly reason: string;
  readonly from?: string;
  readonly until: string;
}

/** `rekey freeze declare` */
export async function declareFreeze(io: Io, { all = false, ...body }: FreezeOptions): Promise<ExitCode> {
  if (!all && body.team === undefined && body.environment === undefined)
    throw usage("Nothing says what is frozen", "Add --team NAME, --environment NAME, or --all for everything.");
  const client = await io.client();
  const answer = await client.call("declareFreeze", { body });
  io.give(answer);
  io.say(
    `Declared: ${answer.freezeId}. Until its end no routine work does what consumers can feel.`,
    `To end it before: rekey freeze end ${answer.freezeId}`,
  );
  return exitCodes.done;
}

/** `rekey freeze end` */
export async function endFreeze(io: Io, freeze: string): Promise<ExitCode> {
  const client = await io.client();
  io.give(await client.call("endFreeze", { params: { freeze }, body: {} }));
  io.say("Ended. What waited for it goes on.");
  return exitCodes.done;
}

/** `rekey status`: one screen, what is wrong and what to do. Ends with 1 when something is, with 3 when people wait. */
export async function status(io: Io): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showStatus", {});
  io.give(found);
  const { counts, looks, nextAt, now } = found;
  io.say(
    `${counts.credentials} credentials, ${counts.scheduled} with a schedule; ${counts.open} rotations open, ${counts.proven} proven in the last seven days; ${counts.workers} ${counts.workers === 1 ? "worker" : "workers"}.`,
    nextAt === null ? "Nothing is scheduled to begin." : `The next one begins ${clock(nextAt, now)}.`,
    "",
    ...(looks.length === 0
      ? ["All is well."]
      : looks.flatMap(({ state, about, text, mend }) => [
          `${state.padEnd(5)} ${printable(about)}`,
          ...wrapPasted("", text, indent),
          ...(mend === undefined ? [] : [`${indent}  ${printable(mend)}`]),
        ])),
  );
  if (looks.some(({ state }) => state === "bad")) return exitCodes.failed;
  return looks.some(({ state }) => state === "waits") ? exitCodes.person : exitCodes.done;
}
