import { setTimeout as sleep } from "node:timers/promises";
import {
  ApiError,
  longestLeaked,
  mostLeakedAtOnce,
  mostLeakedCharacters,
  type Answer,
  type Client,
} from "../api/client.ts";
import { usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { resultLines, summaryLines } from "./leak-lines.ts";
import { isMissed, isOpen, resultsOf } from "./leak-results.ts";
import { readSuspectFile, readSuspectInput, suspectLines, type Suspect } from "./leaked-input.ts";
import { readReport, type ReportFormat } from "./scanner-report.ts";

export interface LeakOptions {
  readonly format?: ReportFormat;
  /** Milliseconds for all of it; absent: as long as it takes. */
  readonly timeout?: number;
}

type Checked = Answer<"checkLeaks">;

const mostTexts = 10_000;
/** Where the API takes no more for now. */
const askAgainMs = 1_000;

/** `rekey leak check` */
export async function checkLeaks(io: Io, file: string | undefined, options: LeakOptions): Promise<ExitCode> {
  refuseMisplaced(file, options.format);
  // Before anything is pasted: whoever has no token would paste it for nothing.
  const client = await io.client();
  const suspects = await readSuspects(file, options.format);
  if (suspects.length === 0 && options.format === undefined) throw nothingGiven("rekey leak check < FILE");
  const { results, notCompared } = await compare(io, client, suspects, options.timeout);
  const hasAlive = results.some(isOpen);
  const missed = results.filter(isMissed);
  io.give({ results, notCompared, isAlive: hasAlive, notComparedValues: missed.length });
  io.say(...resultLines(results), ...summaryLines(results, notCompared));
  if (hasAlive) return exitCodes.person;
  if (missed.some(({ state }) => state === "no-time")) return exitCodes.timeOut;
  return missed.length > 0 ? exitCodes.failed : exitCodes.done;
}

export const nothingGiven = (command: string) =>
  usage("Standard input held nothing", `Send what was found there, one value a line: ${command}`);

/** Asks the API about all of them: what each is, and what nobody can say. */
export async function compare(io: Io, client: Client, suspects: readonly Suspect[], timeout: number | undefined) {
  const texts = [...new Set(suspects.flatMap((one) => one.texts))];
  if (texts.length > mostTexts)
    throw usage(
      `There are more than ${mostTexts} different values`,
      "Nothing was compared. Split the input and run it for each part.",
    );
  const asked = texts.filter(({ length }) => length <= longestLeaked);
  const { answers, notCompared } = await askAll(io, client, asked, timeout);
  return { results: resultsOf(suspects, answers), notCompared };
}

function refuseMisplaced(file: string | undefined, format: ReportFormat | undefined): void {
  if (format === undefined && file !== undefined)
    throw usage(
      "Values come on standard input, never as an argument",
      "If that was one, it stands in your shell's history now and every user of this machine could see it: count it as leaked. Run `rekey leak check < FILE`, or paste into `rekey leak check` in a terminal.",
    );
  if (format !== undefined && file === undefined)
    throw usage(
      `--format ${format} needs a report`,
      `Name its file: rekey leak check --format ${format} FILE, or - for standard input.`,
    );
}

async function readSuspects(file: string | undefined, format: ReportFormat | undefined): Promise<readonly Suspect[]> {
  if (format === undefined || file === undefined) return suspectLines(await readSuspectInput());
  return readReport(format, file === "-" ? await readSuspectInput() : await readSuspectFile(file));
}

interface Asked {
  readonly answers: ReadonlyMap<string, Checked["answers"][number]>;
  readonly notCompared: Checked["notCompared"] | null;
}

/** In several requests. Where a minute's measure is full it waits, for the time that it has. */
async function askAll(io: Io, client: Client, texts: readonly string[], timeout = Infinity): Promise<Asked> {
  const answers = new Map<string, Checked["answers"][number]>();
  const end = performance.now() + timeout;
  let notCompared: Asked["notCompared"] = null;
  let hasSaid = false;
  for (let batch = batchFrom(texts); batch.length > 0;) {
    const checked = await unlessTooMany(client.call("checkLeaks", { body: { values: [...batch] } }));
    if (checked !== undefined) {
      for (const [index, answer] of checked.answers.entries()) answers.set(batch[index] ?? "", answer);
      ({ notCompared } = checked);
      batch = batchFrom(texts.slice(answers.size));
      continue;
    }
    if (!hasSaid)
      io.note(`${answers.size} of ${texts.length} values are compared; the API takes more within a minute.`);
    hasSaid = true;
    if (performance.now() + askAgainMs > end) break;
    await sleep(askAgainMs, undefined, { signal: io.signal });
  }
  return { answers, notCompared };
}

async function unlessTooMany<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof ApiError && error.problem.code === "too_many_requests") return undefined;
    throw error;
  });
}

/** As many of the first as one request takes. */
function batchFrom(texts: readonly string[]): readonly string[] {
  let characters = 0;
  const first = texts.slice(0, mostLeakedAtOnce);
  const end = first.findIndex(({ length }) => (characters += length) > mostLeakedCharacters);
  return end < 0 ? first : first.slice(0, end);
}
