import type { PodSpec } from "./objects.ts";

/** What of a Secret somebody may read: keys of ours, as far as a pod's description tells. */
interface Asked {
  readonly secret: string;
  readonly keys: readonly string[];
}

/** The only keys of which a pull of images reads one. */
const pullKeys = [".dockerconfigjson", ".dockercfg"];

type Part = { readonly name?: string | undefined; readonly keys?: readonly string[] | undefined };

/** Each way in which a pod names a Secret; without keys it gets all of them. */
function partsOf({
  containers = [],
  initContainers = [],
  ephemeralContainers = [],
  volumes = [],
  imagePullSecrets = [],
}: PodSpec) {
  const all = [...containers, ...initContainers, ...ephemeralContainers];
  const keysOf = (items?: readonly { readonly key: string }[]) => items?.map(({ key }) => key);
  return [
    ...all.flatMap(({ env = [] }) =>
      env.flatMap(({ valueFrom }): Part[] => {
        const ref = valueFrom?.secretKeyRef;
        return ref === undefined ? [] : [{ name: ref.name, keys: [ref.key] }];
      }),
    ),
    ...all.flatMap(({ envFrom = [] }) => envFrom.flatMap(({ secretRef }): Part[] => (secretRef ? [secretRef] : []))),
    ...volumes.flatMap(({ secret, projected }): Part[] => [
      ...(secret === undefined ? [] : [{ name: secret.secretName, keys: keysOf(secret.items) }]),
      ...(projected?.sources ?? []).flatMap((source): Part[] =>
        source.secret === undefined ? [] : [{ name: source.secret.name, keys: keysOf(source.secret.items) }],
      ),
    ]),
    ...imagePullSecrets.map(({ name }): Part => ({ name, keys: pullKeys })),
  ] satisfies readonly Part[];
}

/** Whether such a pod gets one of the keys. */
const reads = (spec: PodSpec, { secret, keys }: Asked): boolean =>
  partsOf(spec).some(
    (part: Part) => part.name === secret && (part.keys === undefined || part.keys.some((key) => keys.includes(key))),
  );

/** Whether such a pod may have to do with the keys: rather one stranger too many is named than one too few. */
export const uses = (spec: PodSpec, asked: Asked): boolean =>
  reads(spec, asked) || spec.imagePullSecrets?.some(({ name }) => name === asked.secret) === true;

/** The Secrets that such a pod reads, by name. */
export const secretsIn = (spec: PodSpec): readonly string[] =>
  [...new Set(partsOf(spec).flatMap(({ name }: Part) => name ?? []))].toSorted();

/** That it reads none of the keys, and what it reads instead, for an operator; undefined when it reads one. */
export function unreadBy(called: string, spec: PodSpec, asked: Asked): string | undefined {
  if (reads(spec, asked)) return undefined;
  const { secret, keys } = asked;
  const which = keys.length === 1 ? `key ${keys.join()}` : `any of the keys ${keys.join(", ")}`;
  const lead = `${called} does not read ${which} of Secret ${secret} (no env, envFrom or volume).`;
  const read = secretsIn(spec);
  if (read.includes(secret)) return `${lead} It reads other keys of it. Are the keys right?`;
  return `${lead} It reads ${read.length === 0 ? "no other Secret" : `Secret ${read.join(", ")}`}. Is the name right?`;
}
