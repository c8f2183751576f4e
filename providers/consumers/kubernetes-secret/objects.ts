import { z } from "zod";

// The few fields that are read. Everything else of Kubernetes' API is let go: https://kubernetes.io/docs/reference/kubernetes-api/

const texts = z.record(z.string(), z.string());

const ownerReference = z.object({
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().optional(),
});

export const metadata = z.object({
  name: z.string(),
  uid: z.string(),
  resourceVersion: z.string().optional(),
  generation: z.number().optional(),
  deletionTimestamp: z.string().optional(),
  labels: texts.optional(),
  annotations: texts.optional(),
  ownerReferences: z.array(ownerReference).optional(),
  managedFields: z
    .array(
      z.object({
        manager: z.string().optional(),
        operation: z.string().optional(),
        time: z.string().optional(),
        fieldsV1: z.record(z.string(), z.unknown()).optional(),
      }),
    )
    .optional(),
});

export const secretObject = z.object({ metadata, immutable: z.boolean().optional(), data: texts.optional() });
export type SecretObject = z.output<typeof secretObject>;

const keyed = z.object({ name: z.string().optional(), key: z.string() });
const named = z.object({ name: z.string().optional() });
const items = z.array(z.object({ key: z.string() })).optional();

const container = z.object({
  env: z.array(z.object({ valueFrom: z.object({ secretKeyRef: keyed.optional() }).optional() })).optional(),
  envFrom: z.array(z.object({ secretRef: named.optional() })).optional(),
});
const containers = z.array(container).optional();

export const podSpec = z.object({
  containers,
  initContainers: containers,
  ephemeralContainers: containers,
  imagePullSecrets: z.array(named).optional(),
  volumes: z
    .array(
      z.object({
        secret: z.object({ secretName: z.string().optional(), items }).optional(),
        projected: z
          .object({
            sources: z.array(z.object({ secret: named.extend({ items }).optional() })).optional(),
          })
          .optional(),
      }),
    )
    .optional(),
});
export type PodSpec = z.output<typeof podSpec>;

const conditions = z
  .array(
    z.object({ type: z.string(), status: z.string(), reason: z.string().optional(), message: z.string().optional() }),
  )
  .optional();
const containerStatuses = z
  .array(z.object({ state: z.object({ waiting: z.object({ reason: z.string().optional() }).optional() }).optional() }))
  .optional();

export const podObject = z.object({
  metadata,
  spec: podSpec,
  status: z.object({
    phase: z.string().optional(),
    conditions,
    containerStatuses,
    initContainerStatuses: containerStatuses,
  }),
});
export type PodObject = z.output<typeof podObject>;

const template = z.object({ metadata: z.object({ annotations: texts.optional() }).optional(), spec: podSpec });
const share = z.union([z.number(), z.string()]).optional();
const strategy = z
  .object({
    type: z.string().optional(),
    rollingUpdate: z.object({ partition: z.number().optional(), maxUnavailable: share, maxSurge: share }).nullish(),
  })
  .optional();

/** A workload of any kind; a CronJob has its template one floor down. */
export const workloadObject = z.object({
  metadata,
  spec: z.object({
    replicas: z.number().optional(),
    paused: z.boolean().optional(),
    strategy,
    updateStrategy: strategy,
    template: template.optional(),
    jobTemplate: z.object({ spec: z.object({ template }) }).optional(),
  }),
  status: z
    .object({ observedGeneration: z.number().optional(), desiredNumberScheduled: z.number().optional(), conditions })
    .optional(),
});
export type WorkloadObject = z.output<typeof workloadObject>;

export const templateOf = ({ spec }: WorkloadObject): z.output<typeof template> | undefined =>
  spec.template ?? spec.jobTemplate?.spec.template;

export const quotaObject = z.object({
  metadata,
  status: z.object({ hard: texts.optional(), used: texts.optional() }).optional(),
});
export type QuotaObject = z.output<typeof quotaObject>;

export const page = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(z.unknown()),
});

export const review = z.object({ status: z.object({ allowed: z.boolean() }) });

/** Who controls an object, by what it says itself. */
export const controllerOf = (object: { readonly metadata: z.output<typeof metadata> }) =>
  object.metadata.ownerReferences?.find(({ controller }) => controller === true);
