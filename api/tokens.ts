import { findTeams } from "../ledger/registry-views.ts";
import { listTokens, revokeToken, storeToken } from "../ledger/tokens.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { newToken, tokenDigest } from "./new-token.ts";
import { ProblemError } from "./problem.ts";

export const tokenHandlers: Handlers<"createToken" | "listTokens" | "revokeToken"> = {
  async createToken({ body, actor }, { ledger }) {
    const { role, team, description, expiresInMs: lifeMs } = body;
    if ((role === "team") !== (team !== undefined))
      throw new ProblemError(
        "request_invalid",
        "A token of the role team names its team; one of another role does not.",
      );
    const teamId = team === undefined ? undefined : await findTeamId(ledger, team);
    const token = newToken();
    const stored = await storeToken(ledger, { digest: tokenDigest(token), role, teamId, description, lifeMs, actor });
    return asJson({ ...stored, token });
  },

  async listTokens({ query: { valid, ...page } }, { ledger }) {
    return asJson({ tokens: await listTokens(ledger, { ...page, onlyValid: valid === "true" }) });
  },

  async revokeToken({ params, actor }, { ledger }) {
    const id = params.token;
    const isNew = await revokeToken(ledger, { id, actor });
    if (isNew === undefined) throw new ProblemError("not_found", "There is no such token. List them: rekey token list");
    return { id, isNew };
  },
};

async function findTeamId({ db }: ApiDeps["ledger"], name: string): Promise<string> {
  const [team] = await findTeams(db, [name]);
  if (team === undefined)
    throw new ProblemError("not_found", "No team has that name. See which there are: rekey export team");
  return team.id;
}
