import { ApiError } from "../api/client.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";

/** Something that the command line itself found wrong. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  readonly next: string;
  constructor(message: string, next: string, exitCode: ExitCode = exitCodes.failed) {
    super(message);
    this.next = next;
    this.exitCode = exitCode;
  }
}

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
  if (error instanceof CliError) return { code: "usage", title: error.message, detail: "", next: error.next };
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
  const code = tellOf(error).code;
  return code === "request_invalid" || code === "setting_invalid" ? exitCodes.usage : exitCodes.failed;
}

/** Lines for a terminal. */
export function linesOf({ title, detail, next, issues }: Told): readonly string[] {
  const found = (issues ?? []).map(
    ({ file, line, column, field, text }) => `  ${file}:${line}:${column}: ${field === "" ? "" : `${field} `}${text}`,
  );
  const what = detail === "" ? title : `${title}. ${detail}`;
  return [`rekey: ${what}`, ...found, ...(next === "" ? [] : [`  Next: ${next}`])];
}
