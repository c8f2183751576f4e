import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type Client } from "../api/client.ts";
import { CliError } from "./cli-error.ts";
import { converse, type Conversed } from "./converse.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { holdLines } from "./hold-lines.ts";
import type { Io } from "./io.ts";
import { personHere, type Person } from "./person.ts";
import { consumerLines, headLines, type Rotation } from "./rotation-lines.ts";
import { openScreen } from "./screen.ts";
import { clock } from "./show-time.ts";

export interface WatchOptions {
  /** Milliseconds; absent: as long as it takes. */
  readonly timeout?: number | undefined;
  /** Who is asked when it waits for a person; undefined when nobody is there. */
  readonly person?: Person | undefined;
}

const lookEveryMs = 400;

type Hold = NonNullable<Rotation["hold"]>;

/**
 * Follows a rotation until it is closed. In a terminal live, and a hold is answered there; elsewhere a line for each
 * change, and it ends when a person is waited for, so that a script does not hang. With `--json` a JSON line for each
 * change.
 */
export async function watch(
  io: Io,
  rotation: string,
  { timeout, person = io.isJson ? undefined : personHere() }: WatchOptions,
): Promise<ExitCode> {
  const client = await io.client();
  const end = timeout === undefined ? Infinity : performance.now() + timeout;
  let show = showFor(io);
  let waitedFor = "";
  for (;;) {
    const found = await look(client, rotation);
    show(found);
    if (found.outcome !== null) return found.outcome === "proven" ? exitCodes.done : exitCodes.failed;
    const hold = holdToAnswer(found);
    if (hold !== undefined && person === undefined) {
      io.say(...holdLines(hold, found));
      return exitCodes.person;
    }
    if (hold !== undefined && person !== undefined && hold.id !== waitedFor) {
      const said = await untilOver({ io, client, found, end }, async (signal) =>
        converse({ person, client, found, hold, signal }),
      );
      if (said === "leave") return exitCodes.person;
      if (said === "wait") waitedFor = hold.id;
      // What was said scrolled the drawn lines away.
      show = showFor(io);
    }
    if (performance.now() > end)
      throw new CliError(
        "The rotation is not closed yet; it goes on",
        `Follow it on: rekey rotation watch ${rotation}`,
        exitCodes.timeOut,
      );
    await sleep(lookEveryMs, undefined, { signal: io.signal });
  }
}

/** The open hold, unless a command waits that may answer it. */
function holdToAnswer({ hold, commands }: Rotation): Hold | undefined {
  return commands.some(({ state }) => state === "pending") ? undefined : (hold ?? undefined);
}

interface Watched {
  readonly io: Io;
  readonly client: Client;
  readonly found: Rotation;
  readonly end: number;
}

/** Lets a person be asked while the hold is what they were shown, and they and the time are there. */
async function untilOver(
  { io, client, found, end }: Watched,
  ask: (signal: AbortSignal) => Promise<Conversed>,
): Promise<Conversed> {
  const over = new AbortController();
  const signal = AbortSignal.any([io.signal, over.signal]);
  const isOver = async (): Promise<boolean> => {
    if (performance.now() > end) return true;
    const now = await look(client, found.id);
    return holdToAnswer(now)?.id !== found.hold?.id;
  };
  const looking = (async () => {
    while (!signal.aborted && !(await isOver())) await sleep(lookEveryMs, undefined, { signal });
    over.abort();
  })().catch(() => over.abort());
  try {
    return await ask(signal);
  } finally {
    over.abort();
    await looking;
  }
}

/** Asked for longer when the API does not answer for a moment: rekey itself may be starting again, while the rotation goes on. */
async function look(client: Client, rotation: string): Promise<Rotation> {
  let last: unknown;
  for (let attempt = 0; attempt < 25; attempt += 1) {
    try {
      return await client.call("showRotation", { params: { rotation } });
    } catch (error) {
      const code = error instanceof ApiError ? error.problem.code : undefined;
      if (code !== "api_unreachable" && code !== "ledger_unreachable") throw error;
      last = error;
      await sleep(lookEveryMs);
    }
  }
  throw last;
}

function showFor(io: Io): (found: Rotation) => void {
  return process.stdout.isTTY && !io.isJson ? showLive() : showChanges(io);
}

function showLive(): (found: Rotation) => void {
  const screen = openScreen(process.stdout);
  return (found) => screen.draw([...headLines(found), "", ...consumerLines(found)]);
}

function showChanges(io: Io): (found: Rotation) => void {
  let last = "";
  return (found) => {
    const { phase, direction, outcome, hold, waitsFor, paused } = found;
    const mark = JSON.stringify([phase, direction, outcome, hold?.number, hold?.givenAnswer, waitsFor.text, paused]);
    if (mark === last) return;
    last = mark;
    io.give(found);
    const way = direction === "undo" ? ", being undone" : "";
    const next = outcome === null ? `: ${waitsFor.text}` : `: closed as ${outcome}`;
    io.say(`${clock(found.now, found.now)}  ${phase}${way}${next}`);
  };
}
