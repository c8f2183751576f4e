import { randomBytes } from "node:crypto";
import type { ProgramEntry } from "../../contract/consumer.ts";
import type { Comparison } from "./content.ts";
import { brokenProtocol, noSuchProgram, saidError, withoutAnswer, type Asked } from "./program-error.ts";
import { answers, envelope, protocol, type Action, type Answer, type Question } from "./protocol.ts";
import { runProgram } from "./run-program.ts";

/** A target and who serves it. */
export interface Served extends Comparison {
  /** The entry's name. */
  readonly program: string;
  readonly programs: Readonly<Record<string, ProgramEntry>>;
  readonly signal: AbortSignal;
}

function entryOf({ program, programs }: Served): ProgramEntry {
  const entry = Object.hasOwn(programs, program) ? programs[program] : undefined;
  if (entry === undefined) throw noSuchProgram(program);
  return entry;
}

function parsed(output: Buffer, asked: Asked): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(output));
  } catch {
    throw brokenProtocol(asked, output.length === 0 ? "nothing" : "something that is not one JSON object");
  }
}

/** What the program answered to this very request. Nothing of it stands in an error, but for a code that is ours. */
function answerIn<A extends Action>(output: Buffer, id: string, asked: Asked & { readonly action: A }): Answer<A> {
  const content = parsed(output, asked);
  const outer = envelope.safeParse(content);
  if (!outer.success) throw brokenProtocol(asked, "something that lacks 'protocol' or 'id'");
  if (outer.data.protocol !== protocol)
    throw brokenProtocol(asked, `protocol ${outer.data.protocol}, where this release speaks ${protocol}`);
  if (outer.data.id !== id) throw brokenProtocol(asked, "the id of another request, as if it had not read this one");
  if (outer.data.error !== undefined) throw saidError(outer.data.error, asked);
  const inner = answers[asked.action].safeParse(content);
  if (inner.success) return inner.data as Answer<A>;
  const where = inner.error.issues[0]?.path[0];
  throw brokenProtocol(asked, `'${String(where ?? "")}' missing or not of its form`);
}

/** Asks the program once. Errors are ours, or the caller's own cancellation. */
export async function ask<Q extends Question>(served: Served, question: Q): Promise<Answer<Q["action"]>> {
  const { program, target, fields, key, signal } = served;
  signal.throwIfAborted();
  const entry = entryOf(served);
  const id = randomBytes(16).toString("hex");
  const asked = { program, action: question.action };
  const request = { protocol, id, ...question, target, fields, key };
  const ending = await runProgram(entry, `${JSON.stringify(request)}\n`, signal);
  signal.throwIfAborted();
  if (ending.how === "ended" && ending.code === 0) return answerIn<Q["action"]>(ending.output, id, asked);
  throw withoutAnswer(ending, asked, entry);
}
