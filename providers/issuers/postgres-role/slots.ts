import type { Role } from "./catalogue.ts";
import { placeOf } from "./handle.ts";
import { isOf, withoutMark, type Mark, type Owner } from "./mark.ts";
import { ident, literal } from "./quoting.ts";

/** The mark of a role, when it is this credential's. */
export function ownMark(role: Role, owner: Owner): Mark | undefined {
  const { mark } = role.comment;
  return mark !== undefined && mark !== "unreadable" && isOf(mark, owner) ? mark : undefined;
}

/** Another instance's or another credential's, or one that cannot be read. */
export const isForeign = (role: Role, owner: Owner): boolean =>
  role.comment.mark !== undefined && ownMark(role, owner) === undefined;

/** Ours and as we left it: whoever revives a login that we ended has made a stranger of it. */
export function isOurs(role: Role, owner: Owner): boolean {
  const mark = ownMark(role, owner);
  return mark !== undefined && !(mark.state === "ended" && role.canLogin);
}

export interface Occupied {
  readonly why: string;
  /** SQL that gives the slot free, where that is a person's to decide. */
  readonly mend?: string;
}

/**
 * Why no new version may be put in a login of the pair; undefined when it is free. Free is a login that nobody can log in
 * with, and that carries no mark or one of this very credential. A login that can log in is somebody's, marked or not.
 */
export function occupied(
  name: string,
  role: Role | undefined,
  owner: Owner,
  keep: readonly string[],
): Occupied | undefined {
  const kept = keep.find((handle) => placeOf(handle).role === name);
  if (kept !== undefined) return { why: `${name} holds the version ${kept}, which lives` };
  if (role === undefined) return { why: `${name} does not exist` };
  if (isForeign(role, owner))
    return {
      why: `${name} carries the mark of another instance or credential`,
      mend: `COMMENT ON ROLE ${ident(name)} IS ${literal(withoutMark(role.comment))};`,
    };
  if (!role.canLogin) return undefined;
  return {
    why:
      ownMark(role, owner) === undefined
        ? `${name} can log in, and nobody told rekey who uses it`
        : `${name} can log in as a version that the ledger does not hold as live`,
    mend: `ALTER ROLE ${ident(name)} NOLOGIN PASSWORD NULL;`,
  };
}

/** The slot that already holds the version of this operation, as after a lost answer. */
export const isRepeat = (mark: Mark | undefined, version: number, operationKey: string): boolean =>
  mark?.version === version && mark.operationKey === operationKey && mark.state === "live";
