import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type Client } from "../api/client.ts";
import { CliError } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { consumerLines, headLines, holdLines, type Rotation } from "./rotation-lines.ts";
import { openScreen } from "./screen.ts";
import { clock } from "./show-time.ts";

export interface WatchOptions {
  /** Milliseconds; absent: as long as it takes. */
  readonly timeout?: number | undefined;
}

const lookEveryMs = 400;

/**
 * Follows a rotation until it is closed. Live in a terminal; otherwise a line for each change, and it ends when a person
 * is waited for, so that a script does not hang. With `--json` a JSON line for each change.
 */
export async function watch(io: Io, rotation: string, { timeout }: WatchOptions): Promise<ExitCode> {
  const client = await io.client();
  const isLive = process.stdout.isTTY && !io.isJson;
  const show = isLive ? showLive() : showChanges(io);
  const end = timeout === undefined ? Infinity : performance.now() + timeout;
  for (;;) {
    const found = await look(client, rotation);
    if (found !== undefined) {
      show(found);
      if (found.outcome !== null) return found.outcome === "proven" ? exitCodes.done : exitCodes.failed;
      if (!isLive && found.hold !== null && found.hold.givenAnswer === null) {
        for (const line of holdLines(found.hold, found)) io.say(line);
        return exitCodes.person;
      }
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

/** Undefined when the API does not answer for a moment: rekey itself may be starting again, while the rotation goes on. */
async function look(client: Client, rotation: string): Promise<Rotation | undefined> {
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

function showLive(): (found: Rotation) => void {
  const screen = openScreen(process.stdout);
  return (found) => {
    const hold = found.hold === null ? [] : ["", ...holdLines(found.hold, found)];
    screen.draw([...headLines(found), ...hold, "", ...consumerLines(found)]);
  };
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
