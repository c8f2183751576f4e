import type { Claim } from "../../../domain/claim.ts";
import { controllerOf, type SecretObject } from "./objects.ts";

const prefix = "rekey-";

/** Who the fields belong to that we wrote: each registration has a field manager of its own. */
export const managerOf = (consumer: string): string => `${prefix}${consumer}`;
/** The annotation that carries the number of a registration's newest delivery on the Secret, and its mark on pod templates. */
export const annotationOf = (consumer: string): string => `rekey/delivery.${consumer}`;

export const writtenNumber = ({ epoch, number }: Claim): string => `${epoch}.${number}`;

export function readNumber(text: string | undefined): Claim | undefined {
  const [, epoch, number] = /^(\d{1,15})\.(\d{1,15})$/.exec(text ?? "") ?? [];
  return epoch === undefined ? undefined : { epoch: Number(epoch), number: Number(number) };
}

/**
 * What a pod template carries: the number, and which Secret it is of. Numbers rise per Secret, so the same one of another
 * Secret, or of one that was made anew under the name, says nothing.
 */
export const markOf = (secret: SecretObject, number: Claim): string => `${writtenNumber(number)}@${placeOf(secret)}`;

const placeOf = ({ metadata: { name, uid } }: SecretObject): string => `${name}/${uid.slice(0, 8)}`;

/** The number that a mark gives, if it is of this very Secret. */
export function readMark(text: string | undefined, secret: SecretObject): Claim | undefined {
  const [number, place] = text?.split("@", 2) ?? [];
  return place === placeOf(secret) ? readNumber(number) : undefined;
}

export interface Owner {
  readonly manager: string;
  /** By the API server's clock; absent where it does not say. */
  readonly time?: string | undefined;
}

/** Who wrote a key of the Secret last; several that agree on its value own it together. */
function ownersOf({ metadata }: SecretObject, key: string): readonly Owner[] {
  return (metadata.managedFields ?? []).flatMap(({ manager = "somebody", time, fieldsV1 }) => {
    const data = fieldsV1?.["f:data"];
    return typeof data === "object" && data !== null && `f:${key}` in data ? [{ manager, time }] : [];
  });
}

/** Another registration that still delivers one of these keys. */
export function rivalOf(secret: SecretObject, keys: readonly string[], consumer: string) {
  for (const key of keys)
    for (const { manager } of ownersOf(secret, key)) {
      const other = manager.startsWith(prefix) ? manager.slice(prefix.length) : consumer;
      if (other !== consumer && secret.metadata.annotations?.[annotationOf(other)] !== undefined) return { key, other };
    }
  return undefined;
}

/** The keys that somebody else has written since, or besides us, in a sentence each. */
export function foreignHands(secret: SecretObject, keys: readonly string[], consumer: string): readonly string[] {
  return keys.flatMap((key) =>
    ownersOf(secret, key)
      .filter(({ manager }) => manager !== managerOf(consumer))
      .map(({ manager, time }) => `Key ${key} was written by "${manager}"${time === undefined ? "" : ` at ${time}`}.`),
  );
}

/** Whether all that we last wrote is still as we wrote it: whoever changes a value takes the key from us. */
export const isUntouched = (secret: SecretObject, keys: readonly string[], consumer: string): boolean =>
  keys.every((key) => ownersOf(secret, key).some(({ manager }) => manager === managerOf(consumer)));

interface Keeper {
  readonly name: string;
  readonly manager: RegExp;
  /** Labels and annotations that it puts on what it keeps; with a value, only that. */
  readonly marks: Readonly<Record<string, string | undefined>>;
  readonly advice: string;
}

const keepers: readonly Keeper[] = [
  {
    name: "Argo CD",
    manager: /^argocd/,
    marks: { "argocd.argoproj.io/tracking-id": undefined, "argocd.argoproj.io/instance": undefined },
    advice:
      "add the keys to ignoreDifferences of the Application (jsonPointers /data/KEY) with syncOptions RespectIgnoreDifferences=true",
  },
  {
    name: "Flux",
    manager: /^(kustomize-controller|helm-controller|flux)/,
    marks: { "kustomize.toolkit.fluxcd.io/name": undefined, "helm.toolkit.fluxcd.io/name": undefined },
    advice:
      "take the keys out of the manifest in Git, or annotate it with kustomize.toolkit.fluxcd.io/ssa: IfNotPresent",
  },
  {
    name: "Helm",
    manager: /^helm$/i,
    marks: { "app.kubernetes.io/managed-by": "Helm" },
    advice: "take the keys out of the chart's values and templates (helm.sh/resource-policy: keep saves the Secret)",
  },
];

export interface KeptBy {
  readonly name: string;
  readonly advice: string;
}

/** A controller that would put its own values back into our keys. */
export function keeperOf(secret: SecretObject, keys: readonly string[], consumer: string): KeptBy | undefined {
  const owned = keys.flatMap((key) => ownersOf(secret, key).map(({ manager }) => manager));
  const foreign = owned.filter((manager) => !manager.startsWith(prefix));
  const { labels, annotations } = secret.metadata;
  const marks = { ...labels, ...annotations };
  if (foreign.length > 0 || !isUntouched(secret, keys, consumer)) {
    const maker = controllerOf(secret);
    if (maker !== undefined)
      return {
        name: `${maker.kind} ${maker.name}`,
        advice: `change where ${maker.kind} ${maker.name} takes the keys from`,
      };
  }
  const isMarked = ({ marks: wanted }: Keeper) =>
    Object.entries(wanted).some(([mark, value]) => mark in marks && (value === undefined || marks[mark] === value));
  return keepers.find(
    (keeper) => foreign.some((manager) => keeper.manager.test(manager)) || (foreign.length > 0 && isMarked(keeper)),
  );
}
