import { createHash } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { z } from "zod";
import { OperatorNeededError, TransientError } from "../../../domain/errors.ts";
import type { Delivery } from "../../contract/consumer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import type { EgressAnswer } from "../../contract/egress.ts";
import type { Secret } from "../../contract/secret.ts";

/** What a receiver is told. Nothing of a value is in it. */
export interface Notice {
  /** `restored`: the former version is in force again. `test`: somebody tries the endpoint; nothing has changed. */
  readonly type: "credential.delivered" | "credential.restored" | "credential.test";
  /** `team/name`; absent in a test, as are version and rotation. */
  readonly credential?: string;
  readonly version?: number;
  /** `con_…` */
  readonly consumer: string;
  /** `rot_…` */
  readonly rotation?: string;
  /** As it was registered; absent when it was not. */
  readonly topic?: string;
  /** When it was sent, ISO 8601. A repeat has a later time and the same id. */
  readonly at: string;
}

export interface Endpoint {
  readonly url: string;
  readonly secret: Secret<string>;
  readonly context: ProviderContext;
}

const shortestKey = 24;
const longestKey = 64;

/** Why the secret cannot sign; undefined when it can. */
export function secretFault(secret: Secret<string>): string | undefined {
  const text = secret.reveal().replace(/^whsec_/, "");
  const bytes = Buffer.from(text, "base64");
  const isBase64 = bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  if (isBase64 && bytes.length >= shortestKey && bytes.length <= longestKey) return undefined;
  return `The endpoint's secret is no base64 of ${shortestKey} to ${longestKey} bytes. Make one (openssl rand -base64 32), give it to the receiver, and apply the connection with it.`;
}

/** The same for every attempt to tell one consumer of one version in one rotation, so that a receiver can drop repeats. */
export function idOf(type: Notice["type"], consumer: string, { version, number, about }: Delivery): string {
  const which = about?.rotation ?? `${number.epoch}-${number.number}`;
  return `msg_${createHash("sha256")
    .update([type, consumer, String(version), which].join("\n"))
    .digest("hex")
    .slice(0, 32)}`;
}

const said = z.object({ ok: z.literal(true) });

/** Sends one signed notice. Returns when the receiver has said `{ "ok": true }`. */
export async function tell({ url, secret, context }: Endpoint, id: string, notice: Notice): Promise<void> {
  const fault = secretFault(secret);
  if (fault !== undefined) throw new OperatorNeededError("value_unfit", fault);
  const now = new Date(notice.at);
  // What is signed is what is sent: the one way out writes JSON the same way.
  const signature = new Webhook(secret.reveal()).sign(id, now, JSON.stringify(notice));
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": signature,
  };
  refuseUnlessTold(await context.fetch({ url, json: notice, headers, largestAnswer: 1_024 }, context.signal));
}

function refuseUnlessTold({ outcome, status = 0, body }: EgressAnswer): void {
  if (outcome === "timed-out")
    throw new TransientError("target_unreachable", "The endpoint did not answer in time. Look whether it hangs.");
  if (outcome === "refused")
    throw new TransientError(
      "target_unreachable",
      "The endpoint could not be asked. Check that it runs, its certificate, and that the worker's settings let it be reached.",
    );
  if (status >= 300 && status <= 399)
    throw new OperatorNeededError(
      "target_refused",
      `The endpoint answered with a redirect (${status}), which is not followed. Register the address that it leads to.`,
    );
  if (status === 408 || status === 429 || status >= 500)
    throw new TransientError("target_unreachable", `The endpoint answered with status ${status}. Look at its log.`);
  if (status < 200 || status > 299)
    throw new OperatorNeededError(
      "target_refused",
      `The endpoint answered with status ${status}. 401 mostly means that it has another signing secret. Correct that, then retry.`,
    );
  if (!said.safeParse(body).success)
    throw new OperatorNeededError(
      "target_malformed",
      'The endpoint answered with success, and not with { "ok": true } in at most 1 KiB: perhaps something else stands at that address. Correct the receiver or the address, then retry.',
    );
}
