import type { ListedVersion } from "../../contract/issuer.ts";
import { readRoles, type Role } from "./catalogue.ts";
import { principalsOf } from "./config.ts";
import { handleFor } from "./handle.ts";
import type { Mark } from "./mark.ts";
import { isPair, type Scope } from "./scope.ts";
import { isOurs } from "./slots.ts";

/** What each login of the credential holds. A login that holds nothing, and never held anything of ours, is left out. */
export async function listVersions(scope: Scope): Promise<readonly ListedVersion[]> {
  const names = principalsOf(scope.config);
  const roles = await scope.admin.work("listing the versions", (work) => readRoles(work, names));
  return names.flatMap((name) => {
    const role = roles.get(name);
    return role === undefined ? [] : listed(role, scope);
  });
}

function listed(role: Role, scope: Scope): readonly ListedVersion[] {
  const { owner } = scope;
  const { mark } = role.comment;
  const isKnown = mark !== undefined && mark !== "unreadable" && mark.version > 0;
  if (!isKnown && !role.canLogin) return [];
  // Without a mark it can only be what a person made: the first version, or a stranger.
  const handle = handleFor({ role: role.name, version: isKnown ? mark.version : 1 });
  const ours = isKnown && isOurs(role, owner);
  const state = stateOf(role, isKnown ? mark : undefined);
  // Only in a single slot does anybody ask: there, versions are told apart by time alone.
  const since = ours && state === "live" && !isPair(scope) ? { effectiveAt: mark.at } : {};
  return [{ handle, state, ours, ...since }];
}

function stateOf(role: Role, mark: Mark | undefined): ListedVersion["state"] {
  if (role.canLogin) return "live";
  return mark?.state === "ended" ? "ended" : "disabled";
}
