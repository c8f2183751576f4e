import type { z } from "zod";
import { nearestWord } from "../domain/nearest-word.ts";
import { looksSecret, plainSecretText } from "./plain-secrets.ts";

type Issue = z.core.$ZodIssue;

export interface SaidIssue {
  readonly path: readonly PropertyKey[];
  readonly text: string;
  /** What to show for the path, where its last part may be a secret. */
  readonly shown?: readonly PropertyKey[];
  /** Of a field that does not exist: the one that was probably meant. */
  readonly meant?: readonly PropertyKey[];
  /** Nothing stands at the path. */
  readonly isMissing?: boolean;
}

/**
 * What is wrong and what to write instead, in sentences that never repeat a value. `knownAt` names the fields that the
 * object at a path may have.
 */
export function sayIssue(
  issue: Issue,
  input: unknown,
  knownAt: (path: readonly PropertyKey[]) => readonly string[],
): readonly SaidIssue[] {
  // Every other code speaks of a value that has the right type; its message is enough.
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownField(issue.path, key, knownAt(issue.path)));
    case "invalid_type":
      return [said(issue.path, input, (value) => wrongType(issue, value))];
    case "invalid_value":
      if (issue.message.startsWith("must ")) return [{ path: issue.path, text: sentence(issue.message) }];
      return [said(issue.path, input, (value) => wrongChoice(issue.values.map(String), value))];
    case "too_small":
    case "too_big":
      return [{ path: issue.path, text: sentence(sizeText(issue)) }];
    case "invalid_union": {
      if (issue.message.startsWith("must ") && issue.errors.every(isAboutAll))
        return [{ path: issue.path, text: sentence(issue.message) }];
      const isMapping = isObject(valueAt(input, issue.path));
      const [first] = issue.errors.toSorted((a, b) => mistakesIn(a, isMapping) - mistakesIn(b, isMapping));
      if (first === undefined || first.length === 0)
        return [{ path: issue.path, text: sentence("has the wrong form") }];
      return first.flatMap((inner) => sayIssue({ ...inner, path: [...issue.path, ...inner.path] }, input, knownAt));
    }
    default:
      return [{ path: issue.path, text: sentence(issue.message) }];
  }
}

function said(path: readonly PropertyKey[], input: unknown, text: (value: unknown) => string): SaidIssue {
  const value = valueAt(input, path);
  return { path, text: text(value), ...(value === undefined ? { isMissing: true } : {}) };
}

/** Without the fields that are missing only because their name was mistyped: the mistyped one says so. */
export function oncePerMistake(issues: readonly SaidIssue[]): readonly SaidIssue[] {
  const nameOf = (path: readonly PropertyKey[]) => JSON.stringify(path);
  const meant = new Set(issues.flatMap((issue) => (issue.meant === undefined ? [] : [nameOf(issue.meant)])));
  return issues.filter(({ path, isMissing = false }) => !isMissing || !meant.has(nameOf(path)));
}

/** Of a union the branch with the fewest mistakes is the one that was meant, and hardly one for another type. */
const mistakesIn = (issues: readonly Issue[], isMapping: boolean): number =>
  issues.reduce((sum, issue) => sum + weightOf(issue, isMapping), 0);

const isAboutAll = (issues: readonly Issue[]): boolean =>
  issues.every(({ path, code }) => path.length === 0 && code !== "unrecognized_keys");

const otherType = 1_000;

function weightOf(issue: Issue, isMapping: boolean): number {
  if (issue.code === "unrecognized_keys") return issue.keys.length;
  // Whoever wrote a mapping did not mean a single word.
  const isOther = issue.code === "invalid_type" || (isMapping && issue.code === "invalid_value");
  return isOther && issue.path.length === 0 ? otherType : 1;
}

/** Fields of which people have heard, and what stands in their way. */
const notYet: ReadonlyMap<string, string> = new Map([
  ["approvals", "cannot be asked for: this release has no approvals, so that the rotation could never run; remove it."],
  ["emergency", "is no field here: write emergencyDeadline, emergencyOutcome and emergencyOrder beside the others."],
]);

/** The word is repeated only when it is nearly one we know, or says itself that a secret stands behind it. */
function unknownField(path: readonly PropertyKey[], key: string, known: readonly string[]): SaidIssue {
  const place = { path: [...path, key] };
  // Another form of the same mapping has it.
  if (known.includes(key)) return { ...place, text: "does not go with another field here; write one of the two." };
  const nearest = nearestWord(key, known);
  if (nearest !== undefined)
    return { ...place, text: `is no field here; did you mean ${nearest}?`, meant: [...path, nearest] };
  if (looksSecret(key)) return { ...place, shown: path, text: plainSecretText };
  const reason = notYet.get(key);
  if (reason !== undefined) return { ...place, text: reason };
  const list = known.length === 0 ? "" : ` Fields here: ${known.join(", ")}.`;
  return { ...place, shown: path, text: `has a field that does not exist; remove it.${list}` };
}

function wrongType(issue: Issue & { code: "invalid_type" }, value: unknown): string {
  const custom = issue.message.startsWith("must ");
  const wanted = custom ? issue.message : `must be ${article(issue.expected)}`;
  if (value === undefined) return `is missing: it ${wanted}.`;
  if (issue.expected === "string" && typeof value !== "object")
    return `${wanted}. YAML reads this as a ${typeof value}: put it in quotes.`;
  return `${wanted}.`;
}

const words: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a mapping of fields",
  record: "a mapping of fields",
  array: "a list",
};
const article = (expected: string) => words[expected] ?? `a ${expected}`;

function wrongChoice(choices: readonly string[], value: unknown): string {
  if (value === undefined) return `is missing: write ${oneOf(choices)}.`;
  const nearest = typeof value === "string" ? nearestWord(value, choices) : undefined;
  return nearest === undefined ? `must be ${oneOf(choices)}.` : `must be ${oneOf(choices)}; did you mean ${nearest}?`;
}

/** Messages of ours begin with must; zod's own speak of types. */
function sizeText(issue: Issue & { code: "too_small" | "too_big" }): string {
  if (!/^(?:Too|Invalid)/.test(issue.message)) return issue.message;
  const [bound, word] = issue.code === "too_small" ? [issue.minimum, "at least"] : [issue.maximum, "at most"];
  const exactly = issue.exact === true ? "exactly" : word;
  if (issue.origin === "string")
    return bound === 1 && issue.code === "too_small"
      ? "must not be empty"
      : `must be ${exactly} ${bound} characters long`;
  const things = Number(bound) === 1 ? "entry" : "entries";
  if (issue.origin === "array" || issue.origin === "set" || issue.origin === "map")
    return `must have ${exactly} ${bound} ${things}`;
  return `must be ${exactly} ${bound}`;
}

const oneOf = (choices: readonly string[]) => (choices.length === 1 ? choices[0] : `one of ${choices.join(", ")}`);

/** Messages of providers' schemas read "must …"; zod's own "Invalid input: …" say nothing of the input's content. */
function sentence(message: string): string {
  return /[.?!]$/.test(message) ? message : `${message}.`;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => (isObject(value) ? value[part] : undefined), input);
}

const isObject = (value: unknown): value is Record<PropertyKey, unknown> => typeof value === "object" && value !== null;
