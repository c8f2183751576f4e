import type { Work } from "../admin.ts";
import { readRoles, type Role } from "../catalogue.ts";

const longest = 63;
const letters = ["a", "b", "c", "d", "e", "f", "g", "h"];

export interface Slot {
  readonly name: string;
  /** As it is already. */
  readonly role: Role | undefined;
}

/** `<role>_<letter>`, with the role's name cut where PostgreSQL would cut the whole: between characters. */
export function slotName(role: string, letter: string): string {
  let base = role;
  while (Buffer.byteLength(base) > longest - 2 || !base.isWellFormed()) base = base.slice(0, -1);
  return `${base}_${letter}`;
}

/** All names that the pair may get. */
export const slotNames = (role: string): readonly string[] =>
  letters.map((letter) => slotName(role, letter)).filter((name) => name !== role);

/** Two names for the pair: the first that are free, or that somebody prepared; and those that others have. */
export async function chooseSlots(
  work: Work,
  role: string,
): Promise<{ readonly slots: readonly [Slot, Slot]; readonly taken: readonly string[] } | undefined> {
  const names = slotNames(role);
  const roles = await readRoles(work, names);
  const owners = await work.ask<{ name: string }>(
    `SELECT DISTINCT r.rolname::text AS name FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
     WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' AND r.rolname = ANY($1::text[])`,
    [names],
  );
  const slots: Slot[] = [];
  const taken: string[] = [];
  for (const name of names) {
    const found = roles.get(name);
    const isOthers =
      found !== undefined &&
      (found.canLogin ||
        found.isSuperuser ||
        found.comment.mark !== undefined ||
        owners.some((one) => one.name === name));
    if (isOthers) taken.push(name);
    else slots.push({ name, role: found });
    const [a, b] = slots;
    if (a !== undefined && b !== undefined) return { slots: [a, b], taken };
  }
  return undefined;
}
