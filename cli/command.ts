import type { Request } from "../api/client.ts";
import { usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { confirm } from "./read-input.ts";
import { holdLines } from "./hold-lines.ts";

type Command = Request<"giveCommand">["body"]["command"];

export interface CommandOptions {
  readonly reason?: string;
}

/** Gives a command and says what happens next. */
export async function give(io: Io, rotation: string, command: Command, { reason }: CommandOptions): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("giveCommand", { params: { rotation }, body: { command, reason } });
  io.give(answer);
  io.say(
    answer.isNew
      ? `Given. The next step of ${answer.rotationId} hears it: rekey rotation watch ${answer.rotationId}`
      : "The same command waits already.",
  );
  return exitCodes.done;
}

export interface DecideOptions extends CommandOptions {
  readonly hold?: number;
  readonly gaps?: string;
}

/**
 * Answers the open hold. What is accepted has to be named: in a terminal the gaps are shown and asked about, elsewhere
 * `--hold` and `--gaps` say what the person has read.
 */
export async function decide(
  io: Io,
  rotation: string,
  decision: "retry" | "roll-back" | "accept",
  options: DecideOptions,
): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showRotation", { params: { rotation } });
  const { hold } = found;
  if (hold === null)
    throw usage(
      "The rotation does not wait for a decision",
      decision === "roll-back" && found.outcome === null
        ? `To undo it all the same: rekey rotation abort ${found.id}`
        : `Look at it: rekey rotation show ${found.id}`,
    );
  if (options.hold !== undefined && options.hold !== hold.number)
    throw usage(
      `The open hold is ${hold.number}, not ${options.hold}`,
      `Read it before you answer it: rekey rotation show ${found.id}`,
    );
  const isAsked =
    decision === "accept" && (options.hold === undefined || (hold.gaps.length > 0 && options.gaps === undefined));
  if (isAsked) {
    io.say(...holdLines(hold, found));
    if (!process.stdin.isTTY || io.isJson || !(await confirm("Accept all of it, in your name?")))
      throw usage(
        "Nothing was accepted",
        `Say what you have read: rekey rotation accept ${found.id} --hold ${hold.number}${hold.gaps.length === 0 ? "" : " --gaps 1,2"} --reason "…"`,
      );
  }
  const gaps = decision === "accept" && !isAsked ? namedGaps(options.gaps, hold.gaps) : hold.gaps.map(({ key }) => key);
  return give(io, found.id, { kind: "decide", holdId: hold.id, decision, gaps }, options);
}

function namedGaps(
  given: string | undefined,
  gaps: readonly { readonly number: number; readonly key: string }[],
): string[] {
  if (given === undefined) return [];
  if (given === "all") return gaps.map(({ key }) => key);
  return given.split(",").map((part) => {
    const gap = gaps.find(({ number }) => String(number) === part.trim());
    if (gap === undefined) throw usage(`The hold has no gap ${part.trim()}`, "Write numbers with commas, or all.");
    return gap.key;
  });
}
