import { createHmac } from "node:crypto";
import { z } from "zod";
import { OperatorNeededError } from "../../../domain/errors.ts";
import type { ConsumerDefinition, ConsumerFinding, ConsumerOpening, ConsumerSession } from "../../contract/consumer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField } from "../../contract/value.ts";
import { webhookEndpoint, type WebhookConnection } from "./connection.ts";
import { secretFault } from "../../systems/webhooks/sign.ts";
import { idOf, tell, type Endpoint, type Notice } from "./notice.ts";

interface WebhookConfig {
  /** Repeated in each notice, so that one endpoint can tell its consumers apart by a word of its own. */
  readonly topic?: string | undefined;
}

const configSchema: z.ZodType<WebhookConfig> = z.strictObject({
  topic: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "must be lower-case letters, digits, dots, dashes and underscores")
    .optional()
    .describe("Repeated in each notice, so that one endpoint can tell its consumers apart"),
});

function targetOf({ topic }: WebhookConfig, connection?: WebhookConnection): string {
  return `webhook:${connection === undefined ? "" : new URL(connection.url).href}${topic === undefined ? "" : `#${topic}`}`;
}

function refuses({ teams }: WebhookConnection, _config: WebhookConfig, team: string): string | undefined {
  if (teams.includes(team)) return undefined;
  return `The connection lets only ${teams.join(", ")} register its endpoint. Add ${team} to its teams, if that team may be told there.`;
}

async function preflight({ url, secret, context }: Endpoint): Promise<readonly ConsumerFinding[]> {
  const fault = secretFault(secret);
  if (fault !== undefined) return [{ code: "value_unfit", detail: fault }];
  // To ask the endpoint itself would be a notice.
  const addresses = await context.fetch.resolve(new URL(url).hostname);
  if (addresses.length > 0) return [];
  return [{ code: "target_unreachable", detail: "The endpoint's name resolves to no address. Correct its url." }];
}

function sessionOf(
  { config, connection, consumer, digestKey }: ConsumerOpening<WebhookConfig, WebhookConnection>,
  context: ProviderContext,
): ConsumerSession {
  if (connection === undefined)
    throw new OperatorNeededError(
      "target_refused",
      "A webhook is reached over a connection. Name one in the consumer.",
    );
  const { settings, secret } = connection;
  const endpoint: Endpoint = { url: settings.url, secret: new Secret(revealField(secret, "secret")), context };
  const digest = createHmac("sha256", digestKey).update(targetOf(config, settings)).digest("hex");
  const base = { consumer, ...(config.topic === undefined ? {} : { topic: config.topic }) };
  const now = () => new Date().toISOString();
  return {
    preflight: async () => preflight(endpoint),
    observe: async () => ({ digest, isEmpty: true, holds: () => false }),
    async deliver(delivery) {
      const { version, about } = delivery;
      const type: Notice["type"] = about?.isUndo === true ? "credential.restored" : "credential.delivered";
      const what = about === undefined ? {} : { credential: about.credential, rotation: about.rotation };
      await tell(endpoint, idOf(type, consumer, delivery), { type, ...base, ...what, version, at: now() });
      return { digest };
    },
    async rehearse() {
      const at = now();
      await tell(endpoint, `msg_test_${consumer}_${Date.parse(at)}`, { type: "credential.test", ...base, at });
      return "The endpoint took a signed notice of type credential.test.";
    },
  };
}

/** A notice that a version is there to be picked up, for whoever reads it elsewhere. It carries no value. */
export const webhook: ConsumerDefinition<WebhookConfig, WebhookConnection> = {
  kind: "webhook",
  title: "A notice to a URL that a version is there to be picked up",
  connectionKind: webhookEndpoint,
  isNotice: true,
  configSchema,
  targetOf,
  fieldsOf: () => [],
  refuses,
  noteOf: () => "It is told of versions and given no value; who is told has to read it elsewhere.",
  open: async (opening, context) => sessionOf(opening, context),
};
