import type { Finding, PreflightRequest } from "../../contract/issuer.ts";
import { madeBy, type Scope, type Survey } from "./survey.ts";
import { slots, type AccessKey } from "./user.ts";

const named = (keys: readonly AccessKey[]): string =>
  keys.map(({ id, isActive }) => `${id}${isActive ? "" : " (inactive)"}`).join(", ");

/**
 * What stands in the way of a new key: keys that the ledger does not count on, each by its id. One that an operation of
 * rekey made is named even where there is room: nobody else would ever end it.
 */
export function strayFinding(
  { user, owner }: Scope,
  seen: Survey,
  { live, operationKey }: Pick<PreflightRequest, "live" | "operationKey">,
): Finding | undefined {
  const isRunning = (id: string): boolean => operationKey !== undefined && madeBy(seen, id, owner) === operationKey;
  const strays = seen.keys.filter(({ id }) => !live.includes(id) && !isRunning(id));
  const ours = strays.filter(({ id }) => madeBy(seen, id, owner) !== undefined);
  const unknown = seen.keys.length < slots ? [] : strays.filter((key) => !ours.includes(key));
  if (ours.length + unknown.length === 0) return undefined;
  const said = [`The IAM user ${user.name} has ${seen.keys.length} keys; AWS allows ${slots}, inactive ones too.`];
  if (unknown.length > 0)
    said.push(`Nobody has told rekey of ${named(unknown)}. Find out who uses it, and delete it when nobody does.`);
  if (ours.length > 0)
    said.push(
      `rekey made ${named(ours)} in an operation that is over, and counts on it no more. Unless a rotation of it runs just now, delete it once nobody uses it.`,
    );
  const mend = [...unknown, ...ours].map(
    ({ id }) => `aws iam delete-access-key --user-name ${user.name} --access-key-id ${id}`,
  );
  // With the former gone there is room for one beside a stray.
  const newest = live.at(-1);
  const isRoomThen = strays.length < slots && seen.keys.some(({ id }) => id === newest);
  return {
    ...{ code: "no_free_slot", detail: said.join(" "), mend: mend.join("\n") },
    ...(isRoomThen ? { endsWithFormer: true } : {}),
  } as const;
}
