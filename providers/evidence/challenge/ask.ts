import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { ProviderContext } from "../../contract/context.ts";
import type { EgressAnswer } from "../../contract/egress.ts";
import type { EvidenceQuestion } from "../../contract/evidence.ts";
import { printable } from "../../../domain/printable.ts";
import type { ChallengeConfig } from "./config.ts";
import { isStrongEnough, verifiesMac } from "./mac.ts";

/** What one address showed: an instance on the expected version, or a sentence saying what is wrong. */
export type Shown = { readonly instanceId: string } | { readonly lack: string };

const answerSchema = z.object({
  // Printable without spaces: a line end could shift the parts that the MAC joins.
  instanceId: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  mac: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  instance: z.string().optional(),
  consumer: z.string().optional(),
});

/** Challenges one address with a nonce of its own. The answer ends here: only the verdict leaves. */
export async function askAddress(
  question: EvidenceQuestion<ChallengeConfig>,
  address: string,
  context: ProviderContext,
): Promise<Shown> {
  const { instance, consumer, config } = question;
  const nonce = randomBytes(32).toString("base64url");
  const answer = await context.fetch({ url: config.url, address, json: { instance, consumer, nonce } }, context.signal);
  return judge(question, printable(address), nonce, answer);
}

function judge(
  { instance, consumer, expected, unwanted }: EvidenceQuestion<ChallengeConfig>,
  address: string,
  nonce: string,
  { outcome, status, body }: EgressAnswer,
): Shown {
  if (outcome === "timed-out") return { lack: `Address ${address} did not answer in time.` };
  if (outcome === "refused") return { lack: `Address ${address} could not be asked: the connection was refused.` };
  if (status !== 200)
    return {
      lack: `Address ${address} answered with status ${status ?? 0}. Its settings must name instance ${printable(instance)} and consumer ${printable(consumer)}.`,
    };
  const parsed = answerSchema.safeParse(body);
  if (!parsed.success) return { lack: `Address ${address} gave no answer to the challenge.` };
  const { instanceId, mac } = parsed.data;
  const who = `Instance ${printable(instanceId)} at ${address}`;
  if ((parsed.data.instance ?? instance) !== instance || (parsed.data.consumer ?? consumer) !== consumer)
    return { lack: `${who} answers for another instance or consumer.` };
  const parts = { instance, consumer, instanceId, nonce };
  // The old version is asked first: should both ever be equal, nothing counts as moved.
  if (unwanted !== undefined && isStrongEnough(unwanted.authenticator)) {
    if (verifiesMac(mac, unwanted.authenticator, parts))
      return { lack: `${who} is still on the old version ${unwanted.version}.` };
  }
  if (verifiesMac(mac, expected.authenticator, parts)) return { instanceId };
  return {
    lack: `${who} answered with another key than version ${expected.version}. Its settings must name instance ${printable(instance)} and consumer ${printable(consumer)}.`,
  };
}
