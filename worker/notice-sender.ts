import { tellEndpoint, type TellDeps } from "../activities/notices/tell-endpoint.ts";
import { connectionSecretRef } from "../custody/refs.ts";
import { afterAttempt, type NoticeTimes } from "../domain/notice-attempt.ts";
import { createTroubleSpell, type SpellListener } from "../domain/trouble-spell.ts";
import { transact } from "../ledger/database.ts";
import { readInstance } from "../ledger/health.ts";
import { newId } from "../ledger/new-id.ts";
import { fanOut } from "../ledger/notice-fan-out.ts";
import { lookForNotices, tidyNotices } from "../ledger/notice-looks.ts";
import { dropFormer, readEndedFormer, secretPlace, type NoticeRow } from "../ledger/notice-rows.ts";
import { endAttempt, leaveTurn, nextToTell, takeTurns, type NoticeTurn } from "../ledger/notice-sends.ts";
import { createRounds } from "../ledger/rounds.ts";

export interface NoticeSenderOptions extends SpellListener, NoticeTimes {
  readonly deps: TellDeps;
  /** Between two looks at what is to be told. */
  readonly everyMs: number;
  /** Of one call. */
  readonly timeoutMs: number;
}

export interface NoticeSender {
  /** Reads the outbox and tells all that is due, once. */
  runOnce(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Endpoints that one worker tells at the same time: so many may hang, and the next still has its turn. */
const mostAtOnce = 32;
/** What a worker needs besides the call: opening secrets, and writing down how it ended. */
const reserveMs = 20_000;
const tidyEveryMs = 600_000;

/**
 * Tells endpoints what the outbox holds. Any number of these may run, in as many workers: an endpoint has one sender at
 * a time, and one that hangs keeps nobody waiting but itself. Nothing is held in the ledger while a call is on its way.
 */
export function createNoticeSender(options: NoticeSenderOptions): NoticeSender {
  const { deps, everyMs, timeoutMs } = options;
  const { ledger } = deps;
  const spell = createTroubleSpell(options);
  const telling = new Map<string, Promise<void>>();
  const stopped = new AbortController();
  let tidyAt = 0;

  async function runOnce(): Promise<void> {
    while (await lookForNotices(ledger));
    while (await fanOut(ledger));
    await endFormerSecrets(deps);
    if (performance.now() >= tidyAt) {
      await tidyNotices(ledger);
      tidyAt = performance.now() + tidyEveryMs;
    }
    const turn = { turn: newId("noticeDelivery"), turnMs: timeoutMs + reserveMs };
    const free = mostAtOnce - telling.size;
    const taken = free > 0 ? await takeTurns(ledger, turn, free) : [];
    for (const notice of taken) {
      const work = tellAll(options, notice, turn, stopped.signal)
        .then(spell.worked, (error: unknown) => {
          if (!stopped.signal.aborted) spell.failed(error);
        })
        .finally(() => telling.delete(notice.id));
      telling.set(notice.id, work);
    }
  }

  const rounds = createRounds(async () => runOnce().then(() => everyMs), { spell, afterFailureMs: everyMs * 4 });
  return {
    async runOnce() {
      await runOnce();
      await Promise.all(telling.values());
    },
    start: () => rounds.start(),
    async stop() {
      stopped.abort();
      await rounds.stop();
      await Promise.all(telling.values());
    },
  };
}

/** One notice after the other, oldest first, until one does not get through: then the endpoint rests. */
async function tellAll(
  { deps, ...times }: NoticeSenderOptions,
  notice: NoticeRow,
  turn: NoticeTurn,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      const next = await nextToTell(deps.ledger, notice.id, turn);
      if (next === undefined) return;
      const { id: deliveryId, body, attempts, ageMs } = next;
      const answer = await tellEndpoint(deps, notice, { id: deliveryId, body }, signal);
      const after = afterAttempt(answer, { attempt: attempts + 1, ageMs }, times);
      const { code, status } = answer;
      const attempt = { noticeId: notice.id, deliveryId, code, status, after, restMs: times.retryFirstMs };
      await endAttempt(deps.ledger, attempt, turn);
      if (after.state !== "sent") return;
    }
  } finally {
    await leaveTurn(deps.ledger, notice.id, turn);
  }
}

/** First out of custody, then out of the ledger: whoever dies in between begins again. */
async function endFormerSecrets({ ledger, custody }: TellDeps): Promise<void> {
  for (;;) {
    const ended = await readEndedFormer(ledger.db);
    if (ended?.former === undefined || ended.former === null) return;
    const { former } = ended;
    await custody.forget(connectionSecretRef(secretPlace(ended, former), await readInstance(ledger)));
    await transact(ledger, async (trx) => dropFormer(trx, ended.id, former));
  }
}
