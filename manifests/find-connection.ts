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
  const ref = resolveRef(named.reference, named.team);
  const key = refKey(ref);
  return referred(planning, "Connection", connections, key, () => {
    if (isOthers(planning, ref)) return issues.add(path, closedText);
    const nearest = nearestWord(key, [...connections.keys(), ...connectionNames]);
    const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
    issues.add(path, `names no connection that exists; add a Connection manifest, or write team/name.${hint}`);
  });
}

/** Whether a connection that exists is of the wrong kind, or lets a team do nothing there, is its owner's business. */
const closedText =
  "names no connection of another team that lets yours use such a place. Ask an operator to add it to what the connection allows your team.";

const isOthers = ({ asking }: Planning, { team }: { readonly team: string }) =>
  asking !== undefined && team !== asking.name;

type ConsumerKind = Planning["catalog"]["consumers"][string];

interface Reached {
  readonly connection: ConnectionRow;
  readonly settings: unknown;
}

/** Over which a consumer is reached: undefined where its kind needs none, or what is wrong has been said. */
export function connectionOfConsumer(
  planning: Planning,
  { metadata: { team }, spec }: ManifestOf<"Consumer">,
  of: { readonly definition: ConsumerKind; readonly credential: CredentialRow; readonly config: unknown },
  issues: Issues,
): Reached | undefined {
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
  const trouble = troubleWith(found, spec, of);
  const settings = trouble === undefined ? of.definition.connectionKind?.connectionSchema.parse(found.settings) : {};
  const refusal = trouble === undefined ? of.definition.refuses?.(settings, of.config, team) : undefined;
  if (trouble === undefined && refusal === undefined) return { connection: found, settings };
  if (isOthers(planning, found)) issues.add(path, closedText);
  else if (trouble !== undefined) issues.add(path, trouble);
  else issues.add(["spec", "config"], `is not what the connection allows. ${refusal}`);
  return undefined;
}

function troubleWith(
  found: ConnectionRow,
  spec: ManifestOf<"Consumer">["spec"],
  { definition, credential }: { readonly definition: ConsumerKind; readonly credential: CredentialRow },
): string | undefined {
  const kind = definition.connectionKind?.kind;
  if (found.kind !== kind)
    return `is a connection of kind ${found.kind}; a ${spec.kind} is reached over one of kind ${kind}.`;
  return found.environment === credential.environment
    ? undefined
    : `belongs to ${found.environment}, and the credential to ${credential.environment}. Name a connection of the credential's environment.`;
}
