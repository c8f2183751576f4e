import { ownsTheCredential } from "../ledger/credential-views.ts";
import { endShare, isTeam, shareCredential, type Share } from "../ledger/credential-shares.ts";
import { transact } from "../ledger/database.ts";
import type { ApiDeps, Caller, Handlers } from "./deps.ts";
import { findCredentialId } from "./find-credential.ts";
import { ProblemError } from "./problem.ts";

export const shareHandlers: Handlers<"shareCredential" | "unshareCredential"> = {
  shareCredential: ({ params, body, ...caller }, deps) =>
    change(deps, caller, { credential: params.credential, team: body.team }, shareCredential),
  unshareCredential: ({ params, body, ...caller }, deps) =>
    change(deps, caller, { credential: params.credential, team: body.team }, endShare),
};

type Change = (trx: Parameters<typeof shareCredential>[0], share: Share) => Promise<void>;

async function change(
  { ledger }: ApiDeps,
  { actor, scope }: Caller,
  { credential, team }: { readonly credential: string; readonly team: string },
  store: Change,
) {
  const credentialId = await findCredentialId(ledger, scope, credential);
  if (!(await ownsTheCredential(ledger.db, scope, credentialId)))
    throw new ProblemError(
      "forbidden",
      "It is another team's credential: that team tells others of it, or an operator.",
    );
  // Which teams there are is no team's business, so that a team is told the same of a name that none has.
  if (scope === "everything" && store === shareCredential && !(await isTeam(ledger.db, team)))
    throw new ProblemError("not_found", "No team has that name. See which there are: rekey export team");
  await transact(ledger, (trx) => store(trx, { credentialId, team, actor }));
  return { credential, team };
}
