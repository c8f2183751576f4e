import { z } from "zod";
import { dnsLabel, dnsName } from "./connection.ts";

/** Kinds of workload whose pods can be told which delivery they were made for, with where the API has them. */
export const workloadKinds = {
  Deployment: { group: "apps", resource: "deployments" },
  StatefulSet: { group: "apps", resource: "statefulsets" },
  DaemonSet: { group: "apps", resource: "daemonsets" },
  CronJob: { group: "batch", resource: "cronjobs" },
} as const;

export type WorkloadKind = keyof typeof workloadKinds;

export interface WorkloadRef {
  readonly kind: WorkloadKind;
  readonly name: string;
}

/** A registration of keys of one Secret, and of what runs with them. */
export interface KubernetesSecretConfig {
  readonly namespace: string;
  readonly secret: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly workloads?: readonly string[] | undefined;
  readonly restart?: boolean | undefined;
  readonly takesOver?: boolean | undefined;
}

const kinds = Object.keys(workloadKinds);

const isKind = (text: string): text is WorkloadKind => kinds.includes(text);

function parsed(text: string): WorkloadRef | undefined {
  const [kind = "", name = "", ...rest] = text.split("/");
  return isKind(kind) && dnsName.test(name) && rest.length === 0 ? { kind, name } : undefined;
}

export const configSchema: z.ZodType<KubernetesSecretConfig> = z.strictObject({
  namespace: z.string().regex(dnsLabel, "must be the name of a namespace"),
  secret: z.string().regex(dnsName, "must be the name of a Secret"),
  keys: z
    .record(
      z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/, "must be a key of a Secret: letters, digits, '-', '_' and '.'"),
      z.string().min(1).max(256),
    )
    .refine((keys) => Object.keys(keys).length > 0, { message: "must name at least one key" })
    .describe("The Secret's key, to the field of the value that it holds"),
  workloads: z
    .array(
      z.string().refine((text) => parsed(text) !== undefined, {
        message: `must be KIND/NAME, such as Deployment/orders; the kinds are ${kinds.join(", ")}`,
      }),
    )
    .max(64)
    .refine((all) => new Set(all).size === all.length, { message: "must name each workload once" })
    .optional()
    .describe("`KIND/NAME`, each in the same namespace: all that reads the keys"),
  restart: z.boolean().optional().describe("Whether the workloads are restarted after a delivery; true without it"),
  takesOver: z
    .boolean()
    .optional()
    .describe(
      "Keys that a controller keeps (Argo CD, Flux, Helm, an operator) may be taken: it was told to leave them",
    ),
});

export function workloadsOf({ workloads = [] }: KubernetesSecretConfig): readonly WorkloadRef[] {
  return workloads.flatMap((text) => parsed(text) ?? []);
}

export const workloadRight = ({ kind, name }: WorkloadRef) => ({ ...workloadKinds[kind], name });

/** Whether something of it runs all the time; of a CronJob there may be no pod whenever one looks. */
export const showsInstances = (config: KubernetesSecretConfig): boolean =>
  restarts(config) && workloadsOf(config).some(({ kind }) => kind !== "CronJob");

/** Whether rekey restarts what it registered; only then a pod shows which delivery it was made for. */
export const restarts = (config: KubernetesSecretConfig): boolean =>
  config.restart !== false && workloadsOf(config).length > 0;

export const fieldsOf = ({ keys }: KubernetesSecretConfig): readonly string[] => [...new Set(Object.values(keys))];
