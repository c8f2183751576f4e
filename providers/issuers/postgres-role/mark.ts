import { z } from "zod";
import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { PermanentError } from "../../../domain/errors.ts";

/** Whose a role is. */
export interface Owner {
  readonly instance: string;
  readonly credential: string;
}

const claimSchema = z.strictObject({ epoch: z.int(), number: z.int() });
const markSchema = z.strictObject({
  instance: z.string(),
  credential: z.string(),
  /** 0: a version that a person made, before any of ours was in this login. */
  version: z.int().min(0),
  operationKey: z.string(),
  claim: claimSchema,
  state: z.enum(["live", "disabled", "ended"]),
  /** Server's clock when the version was put here. Sessions begun before it are a former version's. */
  at: z.iso.datetime(),
});

/** What we keep in a role's comment: which version it holds, and the claim that the last effect was made under. */
export type Mark = z.infer<typeof markSchema>;

export interface Comment {
  /** The owner's own words, before and after the mark; they are never changed. */
  readonly before: string;
  readonly after: string;
  /** `unreadable`: something of ours is there that we cannot read, or twice. Nothing is touched then. */
  readonly mark: Mark | "unreadable" | undefined;
}

const prefix = "rekey:";

export function readComment(comment: string | null): Comment {
  const text = comment ?? "";
  const found = [...text.matchAll(/rekey:(?=\{)/g)];
  const [first] = found;
  if (first === undefined) return { before: text, after: "", mark: undefined };
  const before = text.slice(0, first.index);
  const body = text.slice(first.index + prefix.length);
  if (found.length === 1)
    for (let end = body.indexOf("}"); end >= 0; end = body.indexOf("}", end + 1)) {
      const mark = parseMark(body.slice(0, end + 1));
      if (mark !== undefined) return { before, after: body.slice(end + 1), mark };
    }
  return { before: text, after: "", mark: "unreadable" };
}

function parseMark(text: string): Mark | undefined {
  try {
    return markSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The whole comment with this mark in the place of the former one, or appended to the owner's words. */
export function writeComment({ before, after, mark: former }: Comment, mark: Mark): string {
  const gap = former === undefined && before !== "" && !before.endsWith("\n") ? "\n" : "";
  return `${before}${gap}${prefix}${JSON.stringify(mark)}${after}`;
}

/** The comment without our mark, for the statement that gives a role free. */
export function withoutMark({ before, after, mark }: Comment): string {
  if (mark === "unreadable") return before.slice(0, before.indexOf(`${prefix}{`)).trimEnd();
  return `${before}${after}`.trim();
}

export const isOf = (mark: Mark, owner: Owner): boolean =>
  mark.instance === owner.instance && mark.credential === owner.credential;

/** Refuses an attempt that lost its turn: its call was on the way when a newer one took over. */
export function assertTurn(mark: Mark, claim: Claim): void {
  if (compareClaims(claim, mark.claim) < 0)
    throw new PermanentError("claim_outdated", "A newer attempt has changed this login. Nothing was done.");
}
