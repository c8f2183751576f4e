import { OperatorNeededError } from "../../../domain/errors.ts";
import type { ConsumerDefinition, ConsumerOpening, ConsumerSession, Observation } from "../../contract/consumer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField } from "../../contract/value.ts";
import { sameKeys } from "../../contract/shared-keys.ts";
import { configSchema, fieldsOf, restarts, showsInstances, type KubernetesSecretConfig } from "./config.ts";
import { kubernetes, type KubernetesConnection } from "./connection.ts";
import { digestOf, heldIn, holdsAll, isEmpty, wantedOf } from "./content.ts";
import { deliver } from "./deliver.ts";
import { grantsFor } from "./grants.ts";
import { showInstances as instancesNow } from "./instances.ts";
import { preflight } from "./preflight.ts";
import { rehearse } from "./rehearse.ts";
import { restart } from "./restart.ts";
import { foreignHands } from "./owners.ts";
import { keysOf, numberIn, readSecret, type Target } from "./target.ts";

export type { KubernetesSecretConfig } from "./config.ts";
export type { KubernetesConnection } from "./connection.ts";

const kind = "kubernetes-secret";

function targetOf({ namespace, secret }: KubernetesSecretConfig, connection?: KubernetesConnection): string {
  const host = connection === undefined ? "" : new URL(connection.server).host;
  return `${kind}:${host}/${namespace}/${secret}`;
}

function refuses(
  { namespaces }: KubernetesConnection,
  { namespace }: KubernetesSecretConfig,
  team: string,
): string | undefined {
  const allowed = Object.hasOwn(namespaces, team) ? (namespaces[team] ?? []) : [];
  if (allowed.includes(namespace)) return undefined;
  return `The connection lets team ${team} use ${allowed.length === 0 ? "no namespace" : `only ${allowed.join(", ")}`}. Add ${namespace} to namespaces of the connection for that team, if it may write Secrets there.`;
}

async function observe(target: Target): Promise<Observation> {
  const { config, name, digestKey } = target;
  const secret = await readSecret(target);
  const held = heldIn(secret, config);
  const number = numberIn(secret, target);
  const hands = foreignHands(secret, keysOf(target), target.consumer).join(" ");
  return {
    ...(hands === "" ? {} : { foreignHands: hands }),
    ...(number === undefined ? {} : { number }),
    digest: digestOf(held, name, digestKey),
    isEmpty: isEmpty(held),
    holds: (value) => holdsAll(held, wantedOf(value, config), config),
  };
}

function sessionOf(
  { config, connection, consumer, digestKey }: ConsumerOpening<KubernetesSecretConfig, KubernetesConnection>,
  context: ProviderContext,
): ConsumerSession {
  if (connection === undefined)
    throw new OperatorNeededError("target_refused", "A Secret is reached over a connection. Name one in the consumer.");
  const { settings, secret } = connection;
  const token = new Secret(revealField(secret, "token"));
  const api = { connection: settings, token, namespace: config.namespace, context };
  const target: Target = { api, config, name: targetOf(config, settings), consumer, digestKey };
  return {
    preflight: async (values = []) => preflight(target, values),
    observe: async () => observe(target),
    deliver: async (delivery) => deliver(target, delivery),
    rehearse: async (value) => rehearse(target, value),
    ...(restarts(config) ? { reload: async () => restart(target) } : {}),
    ...(showsInstances(config) ? { instances: async () => instancesNow(target) } : {}),
  };
}

export const kubernetesSecret: ConsumerDefinition<KubernetesSecretConfig, KubernetesConnection> = {
  kind,
  title: "Keys of a Secret in Kubernetes, and the workloads that read them",
  connectionKind: kubernetes,
  configSchema,
  targetOf,
  sharedKeys: (one, other) => sameKeys(one.keys, other.keys),
  fieldsOf,
  refuses,
  showsInstances,
  restartsOf: (config) => (restarts(config) ? (config.workloads ?? []) : []),
  init: { name: "kubernetes", grantsFor },
  open: async (opening, context) => sessionOf(opening, context),
};
