import { restarts, workloadKinds, workloadsOf, type KubernetesSecretConfig } from "./config.ts";

/** What the service account must be allowed, in the words of a Role. */
export interface Rule {
  readonly group: string;
  readonly resources: readonly string[];
  readonly names?: readonly string[];
  readonly verbs: readonly string[];
}

/** One thing that is done, as the API server asks whether it is allowed. */
export interface Right {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly name?: string | undefined;
}

/** The least that a registration needs. Names are given wherever Kubernetes can tell by them; a list it cannot. */
export function rulesFor(config: KubernetesSecretConfig): readonly Rule[] {
  const secret: Rule = { group: "", resources: ["secrets"], names: [config.secret], verbs: ["get", "patch"] };
  if (!restarts(config)) return [secret];
  const named = Object.entries(workloadKinds).flatMap(([kind, { group, resource }]): Rule[] => {
    const names = workloadsOf(config).flatMap((each) => (each.kind === kind ? [each.name] : []));
    return names.length === 0 ? [] : [{ group, resources: [resource], names, verbs: ["get", "patch"] }];
  });
  return [
    secret,
    ...named,
    { group: "", resources: ["pods", "resourcequotas"], verbs: ["list"] },
    { group: "apps", resources: ["deployments", "replicasets", "statefulsets", "daemonsets"], verbs: ["list"] },
    { group: "batch", resources: ["jobs", "cronjobs"], verbs: ["list"] },
  ];
}

export function rightsOf({ group, resources, names, verbs }: Rule): readonly Right[] {
  return resources.flatMap((resource) =>
    verbs.flatMap((verb) => (names ?? [undefined]).map((name) => ({ group, resource, verb, name }))),
  );
}

const joined = (words: readonly string[]): readonly string[] => [...new Set(words)];

/** The rules that allow these things and no more, as few as can be. */
export function rulesOf(rights: readonly Right[]): readonly Rule[] {
  const byObject = Map.groupBy(rights, ({ group, resource, name }) => JSON.stringify([group, resource, name]));
  const rules = [...byObject.values()].flatMap((same): Rule[] => {
    const [first] = same;
    if (first === undefined) return [];
    const { group, resource, name } = first;
    const names = name === undefined ? {} : { names: [name] };
    return [{ group, resources: [resource], verbs: joined(same.map(({ verb }) => verb)), ...names }];
  });
  const byVerbs = Map.groupBy(rules, ({ group, verbs, names }) => JSON.stringify([group, verbs, names]));
  return [...byVerbs.values()].flatMap((same) => {
    const [first] = same;
    return first === undefined ? [] : [{ ...first, resources: same.flatMap(({ resources }) => resources) }];
  });
}

const list = (words: readonly string[]): string => `[${words.join(", ")}]`;
/** A name such as `true` or `1e3` would be none to YAML. */
const quoted = (words: readonly string[]): string => list(words.map((word) => JSON.stringify(word)));

/** As it stands in a Role. */
export function yamlOf({ group, resources, names, verbs }: Rule): string {
  const lines = [`apiGroups: ${quoted([group])}`, `resources: ${list(resources)}`];
  if (names !== undefined) lines.push(`resourceNames: ${quoted(names)}`);
  lines.push(`verbs: ${list(verbs)}`);
  return `  - ${lines.join("\n    ")}`;
}

/** In a sentence: `patch deployments.apps orders`. */
export function wordsFor({ group, resource, verb, name }: Right): string {
  const what = group === "" ? resource : `${resource}.${group}`;
  return name === undefined ? `${verb} ${what}` : `${verb} ${what} ${name}`;
}
