import type { Ledger } from "../ledger/database.ts";
import { readPlaceNames } from "../ledger/registry-list.ts";
import { findEnvironments, findTeams } from "../ledger/registry-views.ts";
import { nameHint } from "../manifests/kind-named.ts";
import { ProblemError } from "./problem.ts";

/** The ids of what is named. @throws ProblemError with the name that was most likely meant, when there is no such. */
export async function findPlaces({ db }: Ledger, { team, environment }: Named) {
  const [teams, environments] = [
    team === undefined ? [] : await findTeams(db, [team]),
    environment === undefined ? [] : await findEnvironments(db, [environment]),
  ];
  if (team !== undefined && teams.length === 0)
    throw new ProblemError("not_found", nameHint("Team", team, (await readPlaceNames(db)).teams));
  if (environment !== undefined && environments.length === 0)
    throw new ProblemError("not_found", nameHint("Environment", environment, (await readPlaceNames(db)).environments));
  return { teamId: teams[0]?.id ?? null, environmentId: environments[0]?.id ?? null };
}

interface Named {
  readonly team?: string | undefined;
  readonly environment?: string | undefined;
}
