import { noticeCodes } from "../domain/notice-attempt.ts";
import type { Scope } from "../domain/scope.ts";
import { requestCheck } from "../ledger/checks.ts";
import { transact } from "../ledger/database.ts";
import { listNoticeDeliveries, listNotices, type NoticeView } from "../ledger/notice-views.ts";
import { nameHint } from "../manifests/kind-named.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { findPlaces } from "./find-places.ts";
import { ProblemError } from "./problem.ts";

type Names = "listNotices" | "showNotice" | "listNoticeDeliveries" | "testNotice";

export const noticeHandlers: Handlers<Names> = {
  async listNotices({ query, scope }, { ledger }) {
    // What a team may not see is not there for it either.
    if (scope === "everything") await findPlaces(ledger, { team: query.team });
    return asJson({ notices: (await listNotices(ledger.db, { scope, ...query })).map(shown) });
  },

  async showNotice({ params, scope }, deps) {
    return asJson(shown(await findNotice(deps, scope, params.notice)));
  },

  async listNoticeDeliveries({ params, query, scope }, deps) {
    const { id: noticeId, team, name } = await findNotice(deps, scope, params.notice);
    const deliveries = await listNoticeDeliveries(deps.ledger.db, { noticeId, limit: query.limit });
    return asJson({ ref: `${team}/${name}`, deliveries });
  },

  async testNotice({ params, actor, scope }, deps) {
    const { id: subjectId } = await findNotice(deps, scope, params.notice);
    const request = { kind: "notice-test", subjectId, requestedBy: actor } as const;
    return { checkId: await transact(deps.ledger, (trx) => requestCheck(trx, request)) };
  },
};

function shown(notice: NoticeView) {
  const { id, team, name, settings, events, isOfAll, secret, lastCode, ...rest } = notice;
  const { formerUntil, pending, oldestMs, lastSentAt, lastGivenUpAt } = rest;
  return {
    ...{ id, ref: `${team}/${name}`, format: settings.format, url: settings.url ?? null, events: [...events] },
    of: isOfAll ? ("all" as const) : ("own" as const),
    ...{ hasSecret: secret !== null, formerUntil, pending, oldestMs, lastCode, lastSentAt, lastGivenUpAt },
    advice: lastCode === null ? null : noticeCodes[lastCode],
  };
}

/** The one endpoint that is meant. */
async function findNotice({ ledger }: ApiDeps, scope: Scope, reference: string): Promise<NoticeView> {
  const [first, ...others] = await listNotices(ledger.db, { scope, reference, limit: 10 });
  const refOf = ({ team, name }: NoticeView) => `${team}/${name}`;
  if (first === undefined) {
    const all = await listNotices(ledger.db, { scope, limit: 500 });
    throw new ProblemError("not_found", nameHint("Notice", reference, all.map(refOf), "rekey notice list"));
  }
  if (others.length > 0)
    throw new ProblemError(
      "request_invalid",
      `Several teams have a notice of that name. Write one of ${[first, ...others].map(refOf).join(", ")}.`,
    );
  return first;
}
