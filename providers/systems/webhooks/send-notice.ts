import type { NoticeCode } from "../../../domain/notice-attempt.ts";
import type { NoticeFormat } from "../../../domain/notice.ts";
import type { ProviderContext } from "../../contract/context.ts";
import type { EgressAnswer } from "../../contract/egress.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField, type FieldDeclarations, type Value } from "../../contract/value.ts";
import { secretFault, signatureHeaders } from "./sign.ts";

/** Of a slack endpoint the whole address is its secret: whoever knows it may post. */
function addressFault(secret: Secret<string>): string | undefined {
  const url = URL.parse(secret.reveal());
  if (url?.protocol === "https:" || url?.hostname === "127.0.0.1") return undefined;
  return "The endpoint's secret is no https address. Give the whole address of its incoming webhook.";
}

/** The fields of an endpoint's secret, by format. */
export const noticeSecrets: Readonly<Record<NoticeFormat, FieldDeclarations>> = {
  webhook: {
    secret: { secret: true, title: "Signing secret: base64 of 24 to 64 random bytes", faultOf: secretFault },
  },
  slack: { url: { secret: true, title: "Address of the incoming webhook", faultOf: addressFault } },
};

export interface NoticeEndpoint {
  readonly format: NoticeFormat;
  /** Absent: it is the secret. */
  readonly url?: string | undefined;
  /** PEM; absent: what the system trusts. */
  readonly ca?: string | undefined;
  /** The newest first. */
  readonly secrets: readonly Value[];
}

export interface NoticeMessage {
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>> & { readonly text: string };
}

export interface NoticeAnswer {
  readonly code: NoticeCode;
  readonly status: number | undefined;
  /** Where the endpoint says when to come again. */
  readonly retryAfterMs: number | undefined;
}

/** Slack's own three characters; nothing else of its markup can be meant. https://docs.slack.dev/messaging/formatting-message-text */
const forSlack = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Sends one notice once, and learns no more than how that ended. */
export async function sendNotice(
  { format, url, ca, secrets }: NoticeEndpoint,
  { id, body }: NoticeMessage,
  context: Pick<ProviderContext, "fetch" | "signal">,
): Promise<NoticeAnswer> {
  const trusted = ca === undefined ? {} : { ca };
  // The answer is not looked at: a few bytes are enough to have seen its status.
  const common = { largestAnswer: 1_024, ...trusted };
  if (format === "slack") {
    const address = revealField(secrets[0] ?? {}, "url");
    return answerOf(
      await context.fetch({ url: address, json: { text: forSlack(body.text) }, ...common }, context.signal),
    );
  }
  // One text is signed and sent, whatever a writer of JSON would make of it again.
  const text = JSON.stringify(body);
  const keys = secrets.map((value) => new Secret(revealField(value, "secret")));
  const headers = signatureHeaders({ id, at: new Date(), text, secrets: keys });
  return answerOf(await context.fetch({ url: url ?? "", text, headers, ...common }, context.signal));
}

function answerOf({ outcome, status = 0, retryAfterMs }: EgressAnswer): NoticeAnswer {
  if (outcome === "timed-out") return { code: "timed-out", status: undefined, retryAfterMs };
  if (outcome === "refused") return { code: "unreached", status: undefined, retryAfterMs };
  return { code: codeOf(status), status, retryAfterMs };
}

function codeOf(status: number): NoticeCode {
  if (status >= 200 && status <= 299) return "taken";
  if (status >= 300 && status <= 399) return "redirected";
  return status >= 500 || status === 429 || status === 408 ? "failed" : "refused";
}
