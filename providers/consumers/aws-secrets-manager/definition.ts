import { OperatorNeededError } from "../../../domain/errors.ts";
import type { ConsumerDefinition, ConsumerOpening, ConsumerSession, Observation } from "../../contract/consumer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { configSchema, fieldsOf, sharedKeys, type AwsSecretConfig } from "./config.ts";
import { aws, awsOver, type AwsConnection } from "./connection.ts";
import { digestOf, heldIn, holdsAll, isEmpty, wantedOf } from "./content.ts";
import { deliver, foreignHand } from "./deliver.ts";
import { preflight, rehearse } from "./preflight.ts";
import { describe, readCurrent, type Target } from "./target.ts";
import { newestNumber } from "./version.ts";

const kind = "aws-secrets-manager";

const targetOf = ({ secret }: AwsSecretConfig, connection?: AwsConnection): string =>
  `${kind}:${connection?.account ?? ""}/${connection?.region ?? ""}/${secret}`;

function refuses({ secrets }: AwsConnection, { secret }: AwsSecretConfig, team: string): string | undefined {
  const allowed = Object.hasOwn(secrets, team) ? (secrets[team] ?? []) : [];
  if (allowed.some((each) => secret === each || (each.endsWith("/") && secret.startsWith(each)))) return undefined;
  return `The connection lets team ${team} use ${allowed.length === 0 ? "no secret" : `only ${allowed.join(", ")}`}. Add ${secret} to secrets of the connection for that team, if it may be written for it.`;
}

async function observe(target: Target): Promise<Observation> {
  const { config, name, digestKey, consumer } = target;
  const [{ stages }, content] = [await describe(target), await readCurrent(target)];
  const held = heldIn(content?.text, config);
  const number = newestNumber(stages, consumer);
  const hand = foreignHand(content);
  return {
    ...(hand === undefined ? {} : { foreignHands: hand }),
    ...(number === undefined ? {} : { number }),
    digest: digestOf(held, name, digestKey),
    isEmpty: isEmpty(held),
    holds: (value) => holdsAll(held, wantedOf(value, config), config),
  };
}

function sessionOf(
  { config, connection, consumer, digestKey }: ConsumerOpening<AwsSecretConfig, AwsConnection>,
  context: ProviderContext,
): ConsumerSession {
  if (connection === undefined)
    throw new OperatorNeededError("target_refused", "A secret is reached over a connection. Name one in the consumer.");
  const { settings, secret } = connection;
  const name = targetOf(config, settings);
  const target: Target = { aws: awsOver(settings, secret, context), config, name, consumer, digestKey };
  return {
    preflight: async (values = []) => preflight(target, values),
    observe: async () => observe(target),
    deliver: async (delivery) => deliver(target, delivery),
    rehearse: async (value) => rehearse(target, value),
  };
}

export const awsSecretsManager: ConsumerDefinition<AwsSecretConfig, AwsConnection> = {
  kind,
  title: "Keys of a secret in AWS Secrets Manager, or its whole text",
  connectionKind: aws,
  configSchema,
  targetOf,
  sharedKeys,
  fieldsOf,
  refuses,
  open: async (opening, context) => Promise.resolve(sessionOf(opening, context)),
};
