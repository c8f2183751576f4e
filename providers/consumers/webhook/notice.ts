import { createHash } from "node:crypto";
import { z } from "zod";
import { OperatorNeededError, TransientError } from "../../../domain/errors.ts";
import type { Delivery } from "../../contract/consumer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import type { EgressAnswer } from "../../contract/egress.ts";
import type { Secret } from "../../contract/secret.ts";
import { signatureHeaders } from "../../systems/webhooks/sign.ts";

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
  // One text is signed and sent.
  const text = JSON.stringify(notice);
  const headers = signatureHeaders({ id, at: new Date(notice.at), text, secrets: [secret] });
  refuseUnlessTold(await context.fetch({ url, text, headers, largestAnswer: 1_024 }, context.signal));
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
