import { calendarLines, freezeLines } from "./calendar-lines.ts";
import { usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { policyLines } from "./policy-lines.ts";
import { statusLines } from "./status-lines.ts";

/** `rekey policy explain` */
export async function explain(io: Io, credential: string): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("explainPolicy", { params: { credential } });
  io.give(found);
  io.say(...policyLines(found));
  return exitCodes.done;
}

export interface CalendarOptions {
  readonly team?: string;
  readonly environment?: string;
  readonly credential?: string;
  readonly days?: number;
  readonly limit?: number;
}

/** `rekey calendar` */
export async function calendar(io: Io, options: CalendarOptions): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showCalendar", { query: { ...options } });
  io.give(found);
  io.say(...calendarLines(found));
  return exitCodes.done;
}

/** `rekey freeze list` */
export async function listFreezes(io: Io): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("listFreezes", {});
  io.give(found);
  io.say(...(found.freezes.length === 0 ? ["There is no freeze."] : found.freezes.flatMap(freezeLines)));
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
  io.say(...statusLines(found));
  const { looks } = found;
  if (looks.some(({ state }) => state === "bad")) return exitCodes.failed;
  return looks.some(({ state }) => state === "waits") ? exitCodes.person : exitCodes.done;
}
