import { explainPolicy } from "../domain/explain-policy.ts";
import { readCalendar } from "../ledger/calendar-rows.ts";
import { declareFreeze, endFreeze, listFreezes } from "../ledger/freezes.ts";
import { readPolicyLevels } from "../ledger/policy-levels.ts";
import { findEnvironments, findTeams } from "../ledger/registry-views.ts";
import { policyTrouble, showPolicy } from "../manifests/policy.ts";
import { calendarEntry } from "./calendar-entry.ts";
import { asJson, type Handlers } from "./deps.ts";
import { findCredentialId } from "./find-credential.ts";
import { ProblemError } from "./problem.ts";

type Names = "explainPolicy" | "showCalendar" | "listFreezes" | "declareFreeze" | "endFreeze";

const dayMs = 24 * 3_600_000;

/** One field as a manifest calls it, and its value in a manifest's words. */
function shown(field: string, value: unknown): readonly [string, unknown] {
  return Object.entries(showPolicy({ [field]: value }))[0] ?? [field, value];
}

export const routineHandlers: Handlers<Names> = {
  async explainPolicy({ params, scope }, { ledger }) {
    const levels = await readPolicyLevels(ledger.db, await findCredentialId(ledger, scope, params.credential));
    const fields = explainPolicy(levels).map(({ field, value, from, overruled }) => {
      const [name, said] = shown(field, value);
      return {
        field: name,
        value: said,
        from,
        overruled: overruled.map((other) => ({ from: other.from, value: shown(field, other.value)[1] })),
      };
    });
    const trouble = policyTrouble(levels.map(({ policy }) => policy)) ?? null;
    return { credential: (levels[0]?.from ?? "").replace(/^credential /, ""), fields, trouble };
  },

  async showCalendar({ query, scope }, { ledger }) {
    const { team, environment, credential, days, limit } = query;
    const credentialId = credential === undefined ? undefined : await findCredentialId(ledger, scope, credential);
    const rows = await readCalendar(ledger.db, {
      scope,
      team,
      environment,
      credentialId,
      withinMs: days * dayMs,
      limit,
    });
    const freezes = await listFreezes(ledger.db, scope);
    const now = new Date(rows[0]?.nowMs ?? Date.now()).toISOString();
    return asJson({ now, entries: rows.map(calendarEntry), freezes: freezes.filter(isStillOf(team, environment)) });
  },

  async listFreezes({ scope }, { ledger }) {
    return asJson({ freezes: [...(await listFreezes(ledger.db, scope))] });
  },

  async declareFreeze({ body, actor }, { ledger }) {
    const { team, environment, reason, from, until } = body;
    if (team !== undefined && environment !== undefined)
      throw new ProblemError("request_invalid", "A freeze is of a team or of an environment. Declare two.");
    const [teams, environments] = [
      team === undefined ? [] : await findTeams(ledger.db, [team]),
      environment === undefined ? [] : await findEnvironments(ledger.db, [environment]),
    ];
    if ((team !== undefined && teams.length === 0) || (environment !== undefined && environments.length === 0))
      throw new ProblemError(
        "not_found",
        `There is no such ${team === undefined ? "environment" : "team"}. List them: rekey export ${team === undefined ? "environment" : "team"}`,
      );
    const freezeId = await declareFreeze(ledger, {
      ...{ teamId: teams[0]?.id ?? null, environmentId: environments[0]?.id ?? null, reason, actor },
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
