import type { PodSpec } from "./objects.ts";

/** What of a Secret somebody may read: keys of ours, as far as a pod's description tells. */
interface Asked {
  readonly secret: string;
  readonly keys: readonly string[];
}

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
    ...imagePullSecrets,
  ] satisfies readonly Part[];
}

/** Whether such a pod reads one of the keys. */
export function uses(spec: PodSpec, { secret, keys }: Asked): boolean {
  return partsOf(spec).some(
    (part: Part) => part.name === secret && (part.keys === undefined || part.keys.some((key) => keys.includes(key))),
  );
}
