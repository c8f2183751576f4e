import { neverMeet } from "../calendar/allowed.ts";
import { explainPolicy } from "../domain/explain-policy.ts";
import { effectivePolicy, type GivenPolicy } from "../domain/policy.ts";
import { readCalendar } from "../ledger/calendar-rows.ts";
import { readOpenPinned, restrictionsOf } from "../ledger/felt-effects.ts";
import { declareFreeze, endFreeze, listFreezes } from "../ledger/freezes.ts";
import { readPolicyLevels } from "../ledger/policy-levels.ts";
import type { Ledger } from "../ledger/database.ts";
import { policyTrouble, showPolicy } from "../manifests/policy.ts";
import { calendarEntry } from "./calendar-entry.ts";
import { asJson, type Handlers } from "./deps.ts";
import { findCredentialId } from "./find-credential.ts";
import { findPlaces } from "./find-places.ts";
import { ProblemError } from "./problem.ts";
import { refuseSecretReasonWithin } from "./refuse-secret-reason.ts";
import { sayNever } from "./say-obstacle.ts";

type Names = "explainPolicy" | "showCalendar" | "listFreezes" | "declareFreeze" | "endFreeze";

const dayMs = 24 * 3_600_000;

/** One field as a manifest calls it, and its value in a manifest's words. */
function shown(field: string, value: unknown): readonly [string, unknown] {
  return Object.entries(showPolicy({ [field]: value }))[0] ?? [field, value];
}

export const routineHandlers: Handlers<Names> = {
  async explainPolicy({ params, scope }, { ledger }) {
    const credentialId = await findCredentialId(ledger, scope, params.credential);
    const levels = await readPolicyLevels(ledger.db, credentialId);
    const fields = explainPolicy(levels).map(({ field, value, from, overruled }) => {
      const [name, said] = shown(field, value);
      return {
        field: name,
        value: said,
        from,
        overruled: overruled.map((other) => ({ from: other.from, value: shown(field, other.value)[1] })),
      };
    });
    const policies = levels.map(({ policy }) => policy);
    const trouble = policyTrouble(policies) ?? (await openTrouble(ledger, credentialId, policies)) ?? null;
    return { credential: (levels[0]?.from ?? "").replace(/^credential /, ""), fields, trouble };
  },

  async showCalendar({ query, scope }, { ledger }) {
    const { team, environment, credential, days, limit } = query;
    // What a team may not see is not there for it either.
    if (scope === "everything") await findPlaces(ledger, { team, environment });
    const credentialId = credential === undefined ? undefined : await findCredentialId(ledger, scope, credential);
    const found = await readCalendar(ledger.db, {
      scope,
      team,
      environment,
      credentialId,
      withinMs: days * dayMs,
      limit: limit + 1,
    });
    const rows = found.slice(0, limit);
    const freezes = await listFreezes(ledger.db, scope);
    const now = rows[0]?.nowMs ?? Date.now();
    return asJson({
      ...{ now: new Date(now), until: new Date(now + days * dayMs) },
      ...{ entries: rows.map(calendarEntry), isMore: found.length > limit },
      freezes: freezes.filter(isStillOf(team, environment)),
    });
  },

  async listFreezes({ scope }, { ledger }) {
    return asJson({ freezes: [...(await listFreezes(ledger.db, scope))] });
  },

  async declareFreeze({ body, actor }, deps) {
    const { ledger } = deps;
    const { team, environment, reason, from, until } = body;
    if (team !== undefined && environment !== undefined)
      throw new ProblemError("request_invalid", "A freeze is of a team or of an environment. Declare two.");
    const { teamId, environmentId } = await findPlaces(ledger, { team, environment });
    await refuseSecretReasonWithin(deps, { teamId, environmentId }, reason);
    const freezeId = await declareFreeze(ledger, {
      ...{ teamId, environmentId, reason, actor },
      from: from === undefined ? undefined : new Date(from),
      until: new Date(until),
    });
    if (freezeId === undefined)
      throw new ProblemError("request_invalid", "A freeze has to end after it begins, and in the future.");
    return { freezeId };
  },

  async endFreeze({ params, actor }, { ledger }) {
    if (!(await endFreeze(ledger, params.freeze, actor)))
      throw new ProblemError("not_found", "No freeze of that id lasts or is to come. List them: rekey freeze list");
    return { freezeId: params.freeze };
  },
};

/** Why the rotation that is open can never go on by this policy, whose windows are not those that it was reserved by. */
async function openTrouble({ db }: Ledger, credentialId: string, policies: readonly GivenPolicy[]) {
  const open = await readOpenPinned(db, credentialId);
  if (open === undefined) return undefined;
  const { windows } = restrictionsOf({ pinned: open.pinned, current: effectivePolicy(...policies), freezes: [] });
  return neverMeet(windows, open.nowMs) ? `of the open rotation ${sayNever(open.id)}` : undefined;
}

const isStillOf =
  (team: string | undefined, environment: string | undefined) =>
  (one: {
    readonly team: string | null;
    readonly environment: string | null;
    readonly until: Date;
    readonly endedAt: Date | null;
  }) =>
    one.endedAt === null &&
    one.until.getTime() > Date.now() &&
    (team === undefined || one.team === null || one.team === team) &&
    (environment === undefined || one.environment === null || one.environment === environment);
