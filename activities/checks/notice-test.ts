import { OperatorNeededError } from "../../domain/errors.ts";
import { noticeCodes } from "../../domain/notice-attempt.ts";
import { testText } from "../../domain/notice.ts";
import { recordTestSent } from "../../ledger/notice-sends.ts";
import { readNotice } from "../../ledger/notice-views.ts";
import { tellEndpoint } from "../notices/tell-endpoint.ts";
import type { CheckWork } from "../run-check.ts";

/** Tells an endpoint that somebody tries it. Each try has an id of its own: it is no repeat of another. */
export const noticeTest: CheckWork = async ({ deps, check, context }) => {
  const notice = await readNotice(deps.ledger.db, check.subjectId ?? "");
  if (notice === undefined) throw new OperatorNeededError("not_found", "The notice is registered no more.");
  const body = { type: "notice.test", at: check.at.toISOString(), text: testText };
  const { code, status } = await tellEndpoint(deps, notice, { id: check.checkId, body }, context.signal);
  const ok = code === "taken";
  if (ok) await recordTestSent(deps.ledger, notice.id);
  return { ok, findings: [], result: { code, status: status ?? null, text: noticeCodes[code] } };
};
