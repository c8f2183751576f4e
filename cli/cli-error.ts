import { ApiError } from "../api/client.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";

/** Something that the command line itself found wrong, or that a program it runs has told it. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  readonly next: string;
  /** For scripts: one of `domain/errors.ts`, or a word of the command line's own. */
  readonly code: string;
  constructor(message: string, next: string, exitCode: ExitCode = exitCodes.failed, code = ownCodes[exitCode]) {
    super(message);
    this.next = next;
    this.exitCode = exitCode;
    this.code = code;
  }
}

const ownCodes: Readonly<Record<ExitCode, string>> = {
  0: "done",
  1: "failed",
  2: "usage",
  3: "person_needed",
  4: "timed_out",
  5: "changes_pending",
  130: "interrupted",
};

export const usage = (message: string, next: string) => new CliError(message, next, exitCodes.usage);

interface Told {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly next: string;
  readonly issues?: readonly { file: string; line: number; column: number; field: string; text: string }[] | undefined;
}

interface CodedError extends Error {
  readonly code: string;
  readonly detail: string;
}

/** An error of `domain/errors.ts`, told by its shape: settings throw them. */
const isCoded = (error: unknown): error is CodedError =>
  error instanceof Error && "code" in error && "detail" in error && typeof error.detail === "string";

/** What to print. Of an unknown error its kind only: a foreign message may quote anything. */
export function tellOf(error: unknown): Told {
  if (error instanceof ApiError) return error.problem;
  if (error instanceof CliError) return { code: error.code, title: error.message, detail: "", next: error.next };
  if (isCoded(error)) return { code: error.code, title: error.detail, detail: "", next: "" };
  const kind = error instanceof Error ? error.name : typeof error;
  return {
    code: "internal",
    title: `rekey met something it did not expect (${kind})`,
    detail: "",
    next: "Report it with the command that you ran.",
  };
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  return exitCodeFor(tellOf(error).code);
}

/** What a person wrote is wrong, so that trying again is no use. */
const mistakes = new Set(["request_invalid", "setting_invalid", "manifest_invalid", "value_unfit"]);

export const exitCodeFor = (code: string): ExitCode => (mistakes.has(code) ? exitCodes.usage : exitCodes.failed);

/** Lines for a terminal. */
export function linesOf({ title, detail, next, issues }: Told): readonly string[] {
  const found = (issues ?? []).map(
    ({ file, line, column, field, text }) => `  ${file}:${line}:${column}: ${field === "" ? "" : `${field} `}${text}`,
  );
  const what = detail === "" ? title : `${title}. ${detail}`;
  return [`rekey: ${what}`, ...found, ...(next === "" ? [] : [`  Next: ${next}`])];
}
