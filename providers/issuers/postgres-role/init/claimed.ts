import type { Claimed } from "../../../contract/init.ts";
import type { Work } from "../admin.ts";
import { readRoles, type Role } from "../catalogue.ts";
import { withoutMark } from "../mark.ts";
import { worksAsOwner } from "../pair.ts";
import { ident, literal } from "../quoting.ts";
import { slotNames } from "./slots.ts";

/** The mark on a login, or on one that works as it: names for another pair would lead to a second one beside the first. */
export async function readClaimed(work: Work, role: Role): Promise<Claimed | undefined> {
  const found = await readRoles(work, slotNames(role.name));
  const pair = [...found.values()].filter((one) => worksAsOwner(one, role.name));
  const marked = [role, ...pair].filter(({ comment }) => comment.mark !== undefined);
  const [first] = marked;
  if (first?.comment.mark === undefined) return undefined;
  const { mark } = first.comment;
  return {
    on: first.name,
    by: mark === "unreadable" ? undefined : { instance: mark.instance, credential: mark.credential },
    mend: marked
      .map(({ name, comment }) => `COMMENT ON ROLE ${ident(name)} IS ${literal(withoutMark(comment))};`)
      .join("\n"),
  };
}
