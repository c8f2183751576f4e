import { nearestWord } from "../domain/nearest-word.ts";
import type { ConnectionRow, CredentialRow } from "../ledger/registry-views.ts";
import { referred, type Issues, type Planning } from "./planning.ts";
import { refKey, resolveRef } from "./registry-snapshot.ts";
import type { ManifestOf } from "./schemas.ts";

const path = ["spec", "connection"];

/** The connection that a manifest names, registered or in the same files. Undefined: what is wrong has been said. */
export function findConnection(
  planning: Planning,
  named: { readonly team: string; readonly reference: string },
  issues: Issues,
): ConnectionRow | undefined {
  const { connections, connectionNames } = planning.snapshot;
  const key = refKey(resolveRef(named.reference, named.team));
  return referred(planning, "Connection", connections, key, () => {
    const nearest = nearestWord(key, [...connections.keys(), ...connectionNames]);
    const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
    issues.add(path, `names no connection that exists; add a Connection manifest, or write team/name.${hint}`);
  });
}

type ConsumerKind = Planning["catalog"]["consumers"][string];

/** Over which a consumer is reached: undefined where its kind needs none, or what is wrong has been said. */
export function connectionOfConsumer(
  planning: Planning,
  { metadata: { team }, spec }: ManifestOf<"Consumer">,
  of: { readonly definition: ConsumerKind; readonly credential: CredentialRow },
  issues: Issues,
): ConnectionRow | undefined {
  const { kind } = of.definition.connectionKind ?? {};
  if (kind === undefined) {
    if (spec.connection !== undefined)
      issues.add(path, `is of no use: a ${spec.kind} is reached without a connection. Remove it.`);
    return undefined;
  }
  if (spec.connection === undefined) {
    issues.add(path, `is missing: a ${spec.kind} is reached over a connection of kind ${kind}. Name one.`);
    return undefined;
  }
  const found = findConnection(planning, { team, reference: spec.connection }, issues);
  if (found === undefined) return undefined;
  if (found.kind !== kind)
    issues.add(path, `is a connection of kind ${found.kind}; a ${spec.kind} is reached over one of kind ${kind}.`);
  else if (found.environment !== of.credential.environment)
    issues.add(
      path,
      `belongs to ${found.environment}, and the credential to ${of.credential.environment}. Name a connection of the credential's environment.`,
    );
  else return found;
  return undefined;
}
