import { worstFirst, type Look } from "../domain/look.ts";
import { recordEvent } from "../ledger/audit.ts";
import { readCheck, requestCheck, type Check } from "../ledger/checks.ts";
import { transact } from "../ledger/database.ts";
import { readDoctorFacts } from "../ledger/doctor-facts.ts";
import { silentMs } from "../ledger/status-facts.ts";
import { version } from "../release.ts";
import { checkResults } from "./check-results.ts";
import type { Handlers } from "./deps.ts";
import { ownLooks } from "./doctor-looks.ts";
import { ProblemError } from "./problem.ts";

const soonMs = 14 * 86_400_000;
/** All looks of a worker take six times one; the rest is its way to the worker and back. */
const timesOne = 7;
const besidesMs = 10_000;

export const doctorHandlers: Handlers<"startDoctor" | "showDoctor" | "recordKeyCopy"> = {
  async startDoctor({ actor }, { ledger, doctorLookMs: lookMs }) {
    const checkId = await transact(ledger, (trx) =>
      requestCheck(trx, { kind: "doctor", arguments: { lookMs }, requestedBy: actor }),
    );
    return { checkId, limitMs: lookMs * timesOne + besidesMs };
  },

  async showDoctor({ params, scope }, { ledger, custodyKey, custody }) {
    const check = await readCheck(ledger.db, scope, params.check);
    if (check?.kind !== "doctor") throw new ProblemError("not_found", "There is no such check. Run: rekey doctor");
    const facts = await readDoctorFacts(ledger.db, { silentMs, soonMs });
    const looks = [...ownLooks(facts, custodyKey, custody.places), ...workerLooks(check)];
    return { isComplete: check.state !== "pending", looks: [...worstFirst(looks)] };
  },

  async recordKeyCopy({ actor }, { ledger, custodyKey }) {
    const details = { key: custodyKey.id };
    await transact(ledger, (trx) => recordEvent(trx, { actor, action: "custody.key_copied", details }));
    return { keyId: custodyKey.id };
  },
};

/** What a worker saw; that none has answered is the finding then. */
function workerLooks({ state, result, findings }: Check): readonly Look[] {
  const about = "Worker";
  if (state === "pending")
    return [
      {
        about,
        state: "bad",
        text: "No worker has answered, so that nothing outside was looked at and no rotation goes on. See that one runs, and that it reaches the ledger and Temporal.",
        mend: "rekey worker",
      },
    ];
  if (state === "failed")
    return findings.map(({ detail: text }) => ({ about, state: "bad", text, mend: "rekey doctor" }));
  const { looks, release, temporal } = checkResults.doctor.parse(result);
  return [
    release === version
      ? {
          about,
          state: "ok",
          text: `rekey ${release}, which polls Temporal${temporal === null ? "" : ` ${temporal}`}.`,
        }
      : {
          about,
          state: "warn",
          text: `It is rekey ${release}, and the API is ${version}. Start both from one release.`,
          mend: "rekey worker",
        },
    ...looks,
  ];
}
