import { connectionSecretRef } from "../../custody/refs.ts";
import { RekeyError } from "../../domain/errors.ts";
import { readInstance } from "../../ledger/health.ts";
import { secretPlace, type NoticeRow } from "../../ledger/notice-rows.ts";
import type { Egress } from "../../providers/contract/egress.ts";
import type { Value } from "../../providers/contract/value.ts";
import { sendNotice, type NoticeAnswer, type NoticeMessage } from "../../providers/systems/webhooks/send-notice.ts";
import { failpoint } from "../failpoint.ts";
import type { StepDeps } from "../step-deps.ts";

export type TellDeps = Pick<StepDeps, "ledger" | "custody" | "scrubber" | "egress">;

/** Tells an endpoint something once. Its secrets are open for this call alone. */
export async function tellEndpoint(
  deps: TellDeps,
  notice: NoticeRow,
  message: NoticeMessage,
  signal: AbortSignal,
): Promise<NoticeAnswer> {
  try {
    const secrets = await secretsOf(deps, notice);
    if (secrets.length === 0) return unfit;
    const answer = await deps.scrubber.withHeld(secrets, async () =>
      sendNotice({ ...notice.settings, secrets }, message, { fetch: deps.egress satisfies Egress, signal }),
    );
    failpoint("notice", "B3");
    return answer;
  } catch (error) {
    if (error instanceof RekeyError && unfitCodes.has(error.code)) return unfit;
    throw error;
  }
}

const unfit: NoticeAnswer = { code: "unfit", status: undefined, retryAfterMs: undefined };
/** Of secrets that no later attempt finds otherwise until a person has done something. */
const unfitCodes: ReadonlySet<string> = new Set(["value_unfit", "custody_missing", "custody_unreadable"]);

/** The newest first. Without the newest nothing is signed: the former one alone would be refused soon. */
async function secretsOf({ ledger, custody }: TellDeps, notice: NoticeRow): Promise<readonly Value[]> {
  const instance = await readInstance(ledger);
  const found: Value[] = [];
  for (const held of [notice.secret, notice.former]) {
    const value =
      held === null ? undefined : await custody.get(connectionSecretRef(secretPlace(notice, held), instance));
    if (value === undefined && held === notice.secret) return [];
    if (value !== undefined) found.push(value);
  }
  return found;
}
