import { Webhook } from "standardwebhooks";
import { OperatorNeededError } from "../../../domain/errors.ts";
import type { Secret } from "../../contract/secret.ts";

const shortestKey = 24;
const longestKey = 64;

/** Why the secret cannot sign; undefined when it can. */
export function secretFault(secret: Secret<string>): string | undefined {
  const text = secret.reveal().replace(/^whsec_/, "");
  const bytes = Buffer.from(text, "base64");
  const isBase64 = bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  if (isBase64 && bytes.length >= shortestKey && bytes.length <= longestKey) return undefined;
  return `The endpoint's secret is no base64 of ${shortestKey} to ${longestKey} bytes. Make one (openssl rand -base64 32), give it to the receiver, and apply the manifest with it.`;
}

export interface Signed {
  /** The same for every attempt, so that a receiver can drop repeats. */
  readonly id: string;
  readonly at: Date;
  /** Exactly what is sent. */
  readonly text: string;
  /** The newest first. While one takes another's place both sign, and a receiver that knows either takes it. */
  readonly secrets: readonly Secret<string>[];
}

/**
 * What goes with a message, as Standard Webhooks says: signatures with spaces between them.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * @throws {OperatorNeededError} `value_unfit`
 */
export function signatureHeaders({ id, at, text, secrets }: Signed): Readonly<Record<string, string>> {
  const signatures = secrets.map((secret) => {
    const fault = secretFault(secret);
    if (fault !== undefined) throw new OperatorNeededError("value_unfit", fault);
    return new Webhook(secret.reveal()).sign(id, at, text);
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": signatures.join(" "),
  };
}
