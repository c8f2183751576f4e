import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { transact, type Ledger } from "../ledger/database.ts";
import { lockRegistry } from "../ledger/registry.ts";
import { isNamed, nameHint } from "./kind-named.ts";
import { lookUp, lookUpConsumer, type Found } from "./look-up.ts";
import { planDeletion } from "./plan-deletion.ts";
import type { ConnectionSecrets } from "./planning.ts";
import type { ManifestKind } from "./schemas.ts";

export interface DeleteRequest {
  readonly kind: ManifestKind;
  /** `name` or `team/name` */
  readonly name: string;
  /** Tells apart consumers of one name: `name` or `team/name` of the credential. */
  readonly credential?: string | undefined;
  /** Of a consumer, instead of the names, once it has been found. */
  readonly id?: string | undefined;
  readonly actor: string;
  /** Absent: only what would be done is wanted. The digest of what a person has said yes to. */
  readonly digest?: string | undefined;
}

interface Deletion {
  /** `Credential shop/orders` */
  readonly ref: string;
  /** What a person should know before saying yes. */
  readonly notes: readonly string[];
  /** Names exactly this object with exactly these notes. */
  readonly digest: string;
}

export type DeleteAnswer =
  | { readonly outcome: "planned" | "deleted" | "plan-changed"; readonly deletion: Deletion }
  /** Why it cannot be, each with what to do. */
  | { readonly outcome: "refused"; readonly reasons: readonly string[] }
  /** None has the name, or several: what to write. */
  | { readonly outcome: "not-found" | "ambiguous"; readonly hint: string };

interface DeleteDeps {
  readonly ledger: Ledger;
  readonly secrets: Pick<ConnectionSecrets, "forget">;
}

/**
 * Takes one object out of the registry. Its row stays for the history that names it, and nothing of that history goes;
 * outside nothing is touched.
 */
export async function deleteRegistered({ ledger, secrets }: DeleteDeps, request: DeleteRequest): Promise<DeleteAnswer> {
  let tidy: (() => Promise<void>) | undefined;
  const answer = await transact(ledger, async (trx): Promise<DeleteAnswer> => {
    await lockRegistry(trx);
    const { kind, id } = request;
    const all = kind === "Consumer" && id !== undefined ? await lookUpConsumer(trx, id) : await lookUp(trx, kind);
    const found = all.filter((one) => isMeant(one, request));
    const [only, second] = found;
    if (only === undefined) return { outcome: "not-found", hint: absenceOf(request, all) };
    if (second !== undefined) return { outcome: "ambiguous", hint: choiceOf(found) };
    const plan = await planDeletion(trx, only);
    if (plan.refusals.length > 0) return { outcome: "refused", reasons: plan.refusals };
    const deletion = asDeletion(only, plan.notes);
    if (request.digest === undefined) return { outcome: "planned", deletion };
    if (request.digest !== deletion.digest) return { outcome: "plan-changed", deletion };
    await plan.retire(request.actor);
    tidy = () => plan.tidy?.(secrets) ?? Promise.resolve();
    return { outcome: "deleted", deletion };
  });
  await tidy?.();
  return answer;
}

const isMeant = (one: Found, { id, name, credential }: DeleteRequest) =>
  id === undefined
    ? isNamed(name, one.named) && (credential === undefined || (one.of !== undefined && isNamed(credential, one.of)))
    : one.id === id;

const nameOf = ({ named: { team, name } }: Found) => (team === undefined ? name : `${team}/${name}`);
const ownerOf = ({ of }: Found) => (of === undefined ? undefined : `${of.team}/${of.name}`);

function absenceOf({ kind, name, credential }: DeleteRequest, all: readonly Found[]): string {
  const others = all.filter(({ named }) => isNamed(name, named)).flatMap((one) => ownerOf(one) ?? []);
  if (credential !== undefined && others.length > 0)
    return `No consumer of that credential has the name; those of ${others.join(", ")} have. Name one with --credential.`;
  return nameHint(kind, name, all.map(nameOf));
}

function choiceOf(found: readonly Found[]): string {
  const names = [...new Set(found.map(nameOf))];
  return names.length > 1
    ? `Several teams have one of that name. Write one of ${names.join(", ")}.`
    : `Several credentials have a consumer of that name. Add --credential with one of ${found.map(ownerOf).join(", ")}.`;
}

function asDeletion({ kind, id, ...found }: Found, notes: readonly string[]): Deletion {
  const digest = createHash("sha256")
    .update(canonicalize({ id, notes }) ?? "")
    .digest("hex");
  return { ref: `${kind} ${nameOf({ kind, id, ...found })}`, notes, digest };
}
