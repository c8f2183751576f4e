import { z } from "zod";
import { printable } from "../../../domain/printable.ts";
import type { Finding, PreflightRequest } from "../../contract/issuer.ts";
import { lackedOf } from "../../systems/vault/capabilities.ts";
import { forbidden } from "../../systems/vault/failure.ts";
import { parsedAs } from "../../systems/vault/vault.ts";
import { accessorOf, allOf, readRole, type Role } from "./api.ts";
import { readHandle } from "./config.ts";
import { roleMissing } from "./effects.ts";
import { isOurs } from "./mark.ts";
import { rightsFor } from "./rights.ts";
import { loginPath, rolePath, type Scope } from "./scope.ts";

/** A probe uses a secret id up by one, and so does each login of the consumer. */
const fewestUses = 100;
const shortestTtl = 86_400;

const self = z.object({
  data: z.object({ path: z.string(), meta: z.record(z.string(), z.string()).nullish() }),
});

/** Whether the connection's own login is made with a secret id of this very role. */
async function isOwnPrincipal({ vault, signal, config }: Scope): Promise<boolean> {
  const right = { path: "auth/token/lookup-self", capabilities: ["read"] } as const;
  const { data } = parsedAs(vault, self, await vault.ask({ path: right.path, right }, signal), right);
  return data.path === loginPath(config) && data.meta?.["role_name"] === config.role;
}

/** What of the role keeps its secret ids from being rotated, with the command that changes it. */
function unfit({ config }: Scope, role: Role): readonly Finding[] {
  const found: Finding[] = [];
  const say = (detail: string, change: string) =>
    found.push({ code: "principal_unfit", detail, mend: `vault write ${rolePath(config)} ${change}` });
  if (!role.bind_secret_id)
    say(
      "The role lets anybody in who knows its role id, whatever the secret id (bind_secret_id).",
      "bind_secret_id=true",
    );
  if (role.token_type.includes("batch"))
    say(
      `Tokens of the role are batch tokens (token_type ${role.token_type}), which nobody can list or end: they would outlive their secret id by their whole time.`,
      "token_type=service",
    );
  if (role.secret_id_num_uses > 0 && role.secret_id_num_uses < fewestUses)
    say(
      `A secret id of the role may be used ${role.secret_id_num_uses} times (secret_id_num_uses). Each login uses it up by one, each look of rekey too: with fewer than ${fewestUses} a consumer could find it used up.`,
      "secret_id_num_uses=0",
    );
  if (role.secret_id_ttl > 0 && role.secret_id_ttl < shortestTtl)
    say(
      `A secret id of the role ends by itself after ${role.secret_id_ttl} s (secret_id_ttl), which is less than a day: it could end before it is replaced.`,
      "secret_id_ttl=0",
    );
  return found;
}

/** What a former operation of this credential made and the ledger does not count on: nobody but a person ends it. */
async function forgotten(scope: Scope, { live, operationKey }: PreflightRequest): Promise<readonly Finding[]> {
  const known = new Set(live.map((handle) => readHandle(handle).accessor));
  const left = (await allOf(scope)).filter(
    ({ accessor, mark, isExpired }) =>
      isOurs(mark, scope) && !isExpired && !known.has(accessor) && mark?.operationKey !== operationKey,
  );
  return left.map(({ accessor, createdAt }) => ({
    code: "no_free_slot",
    detail: `The secret id with the accessor ${printable(accessor)}, of ${createdAt}, was made for this credential and lives, and the ledger does not count on it: an earlier rotation left it. See that no rotation of the credential is open and that nobody uses it, then end it.`,
    mend: `vault write ${rolePath(scope.config)}/secret-id-accessor/destroy secret_id_accessor=${printable(accessor)}`,
  }));
}

/** By its accessor a secret id is ended: that of another one would end somebody else's. */
async function misnamed(scope: Scope, { former }: PreflightRequest): Promise<readonly Finding[]> {
  if (former === undefined) return [];
  const { accessor: given } = readHandle(former.handle);
  const own = await accessorOf(scope, former.value);
  if (own === undefined || own === given) return [];
  return [
    {
      code: "value_unfit",
      detail: `The accessor ${printable(given)} is not that of this secret id, which has ${printable(own)}: what ends the one would end another's. Nothing was changed. Adopt the secret id with --field accessor=${printable(own)}.`,
    },
  ];
}

export async function preflight(scope: Scope, request: PreflightRequest): Promise<readonly Finding[]> {
  if (await isOwnPrincipal(scope))
    return [
      {
        code: "principal_is_connection",
        detail: `The connection logs in with a secret id of the role ${scope.config.role} itself. Give it a role of its own; the hand that rotates is not rotated by itself.`,
      },
    ];
  const lacked = await lackedOf(scope.vault, rightsFor(scope.config), scope.signal);
  if (lacked.length > 0) {
    const { code, detail } = forbidden(lacked, scope.vault);
    return [{ code, detail }];
  }
  const role = await readRole(scope);
  if (role === undefined) {
    const { code, detail } = roleMissing(scope);
    return [{ code, detail }];
  }
  return [...unfit(scope, role), ...(await misnamed(scope, request)), ...(await forgotten(scope, request))];
}
