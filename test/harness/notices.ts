import { generateKeyPairSync, randomBytes } from "node:crypto";
import { sql } from "kysely";
import { createScrubber } from "../../custody/scrubber.ts";
import type { NoticeTimes } from "../../domain/notice-attempt.ts";
import { recordEvent, type AuditEvent } from "../../ledger/audit.ts";
import { transact } from "../../ledger/database.ts";
import { createSealer } from "../../ledger/sealer.ts";
import { createEgress } from "../../providers/contract/egress-client.ts";
import { createNoticeSender, type NoticeSender } from "../../worker/notice-sender.ts";
import type { TestApi } from "./api.ts";
import { applyText } from "./apply-text.ts";
import type { NoticeReceiver } from "./notice-receiver.ts";

export const newSigningSecret = (): string => `whsec_${randomBytes(32).toString("base64")}`;

export interface NoticeText {
  readonly team: string;
  readonly name?: string;
  readonly format?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** An endpoint's manifest at a receiver. */
export function noticeText(
  { url, ca }: Pick<NoticeReceiver, "url" | "ca">,
  { team, name = "hook", format = "webhook", spec = {} }: NoticeText,
): string {
  const place = format === "slack" ? { ca } : { url, ca };
  const whole = { format, ...place, secretFrom: "given", ...spec };
  return JSON.stringify({ apiVersion: "rekey/v1", kind: "Notice", metadata: { name, team }, spec: whole });
}

/** Registers an endpoint with its secret, as the command line does. */
export function registerNotice(api: TestApi, receiver: NoticeReceiver, text: NoticeText, secret: string) {
  return applyText(api, noticeText(receiver, text), { 0: text.format === "slack" ? receiver.url : secret });
}

const usualTimes: NoticeTimes = { retryFirstMs: 20, retryLongestMs: 200, giveUpAfterMs: 60_000 };

/** A sender as a worker has it, with times of a test. */
export function openSender(
  { deps, custody }: TestApi,
  receivers: readonly NoticeReceiver[],
  times: Partial<NoticeTimes & { readonly timeoutMs: number }> = {},
): NoticeSender {
  const { timeoutMs = 5_000 } = times;
  const egress = createEgress({ allowedLocalPorts: receivers.map(({ port }) => port), ownPorts: [], timeoutMs });
  return createNoticeSender({
    deps: { ledger: deps.ledger, custody, scrubber: createScrubber(), egress },
    ...{ everyMs: 20, timeoutMs, ...usualTimes, ...times },
    onTrouble(error) {
      throw error;
    },
    onRecovered: () => undefined,
  });
}

const { privateKey } = generateKeyPairSync("ed25519");

/** Seals everything that has happened, as a worker does within a second. */
async function sealAll({ deps: { ledger } }: TestApi): Promise<void> {
  const sealer = createSealer({ ledger, signingKey: { id: "key_test", privateKey } });
  while ((await sealer.runOnce()).sealed > 0);
}

/** Something happens to a credential, `team/name`, and is sealed. */
export async function happens(api: TestApi, ref: string, event: Pick<AuditEvent, "action" | "details">): Promise<void> {
  const { db } = api.deps.ledger;
  const { rows } = await sql<{ id: string }>`
    SELECT c.id FROM credentials c JOIN teams t ON t.id = c.team_id WHERE t.name || '/' || c.name = ${ref}`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error(`There is no ${ref}.`);
  await transact(api.deps.ledger, async (trx) => recordEvent(trx, { credentialId: row.id, actor: "test", ...event }));
  await sealAll(api);
}

export const isDone: Pick<AuditEvent, "action" | "details"> = {
  action: "rotation.closed",
  details: { outcome: "proven" },
};

export const isHeld: Pick<AuditEvent, "action" | "details"> = {
  action: "hold.opened",
  details: { number: 1, phase: "drained", code: "stranger_seen", gaps: [] },
};
