import { randomBytes } from "node:crypto";
import { parse } from "yaml";
import { createEgress } from "../../providers/contract/egress-client.ts";
import type { ConsumerSession } from "../../providers/contract/consumer.ts";
import type { ProviderContext } from "../../providers/contract/context.ts";
import { Secret } from "../../providers/contract/secret.ts";
import {
  kubernetesSecret,
  type KubernetesSecretConfig,
} from "../../providers/consumers/kubernetes-secret/definition.ts";
import { rulesFor, yamlOf, type Rule } from "../../providers/consumers/kubernetes-secret/rights.ts";
import type { Kubernetes } from "./kubernetes.ts";
import { typeid } from "typeid-js";

/** A service account with a Role of just these rules; returns a token of it. */
export async function serviceAccount(kube: Kubernetes, namespace: string, rules: readonly Rule[]): Promise<string> {
  const name = `rekey-${randomBytes(3).toString("hex")}`;
  const core = `/api/v1/namespaces/${namespace}`;
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const apiGroup = "rbac.authorization.k8s.io";
  await kube.must("POST", `${core}/serviceaccounts`, { metadata: { name } });
  // The very text that docs and errors print.
  await kube.must("POST", `${rbac}/roles`, {
    metadata: { name },
    rules: parse(rules.map(yamlOf).join("\n")) as unknown,
  });
  await kube.must("POST", `${rbac}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup, kind: "Role", name },
    subjects: [{ kind: "ServiceAccount", name, namespace }],
  });
  const made = await kube.must("POST", `${core}/serviceaccounts/${name}/token`, { spec: { expirationSeconds: 3600 } });
  return String(made.status?.["token"]);
}

export interface OpenSecretHow {
  readonly config: KubernetesSecretConfig;
  readonly token?: string;
  /** Where the API server is asked; the server itself unless given. */
  readonly server?: string;
  readonly consumer?: string;
  readonly digestKey?: Uint8Array;
  readonly signal?: AbortSignal;
  readonly log?: ProviderContext["log"];
}

export const newConsumer = (): string => typeid("con").toString();
const ownKey = randomBytes(32);
const someConsumer = newConsumer();

/** A session as a worker holds it, with the least rights. */
export async function openSecret(kube: Kubernetes, how: OpenSecretHow): Promise<ConsumerSession> {
  const { server = kube.server, consumer = someConsumer, digestKey = ownKey } = how;
  const config = kubernetesSecret.configSchema.parse(how.config);
  const token = how.token ?? (await serviceAccount(kube, config.namespace, rulesFor(config)));
  const settings = { server, ca: kube.ca, namespaces: { shop: [config.namespace] } };
  const log = how.log ?? (() => undefined);
  return kubernetesSecret.open(
    {
      config,
      connection: { settings, secret: { token: new Secret(token) } },
      allowed: { roots: [], reloads: {} },
      consumer,
      digestKey,
    },
    {
      signal: how.signal ?? new AbortController().signal,
      log,
      fetch: createEgress({ allowedLocalPorts: [Number(new URL(server).port)], ownPorts: [], log, timeoutMs: 60_000 }),
    },
  );
}

/** A Deployment of an application whose pods read the whole Secret, or what `reads` says. */
export function deployment(name: string, secret: string, change: Readonly<Record<string, unknown>> = {}): unknown {
  const labels = { app: name };
  const container = { name: "app", image: "app", envFrom: [{ secretRef: { name: secret } }] };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
      ...change,
    },
  };
}
