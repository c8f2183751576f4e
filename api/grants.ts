import type { GrantAnswer } from "../domain/grant.ts";
import type { Scope } from "../domain/scope.ts";
import { listGrants, type GrantSummary } from "../ledger/grant-views.ts";
import { answerGrant } from "../manifests/answer-grant.ts";
import type { GrantContent } from "../manifests/grant-content.ts";
import { requestGrants } from "../manifests/request-grants.ts";
import { createConnectionSecrets } from "./connection-secrets.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { invalidManifests } from "./manifests.ts";
import { ProblemError } from "./problem.ts";
import { refuseSecretReason } from "./refuse-secret-reason.ts";
import { settleProposals } from "./settle-proposals.ts";

type Names = "registerConsumer" | "listGrants" | "showGrant" | "approveGrant" | "refuseGrant" | "withdrawGrant";

const absence = "There is no such grant. List them: rekey grant list";

export const grantHandlers: Handlers<Names> = {
  async registerConsumer({ body, actor, scope }, deps) {
    const answer = await requestGrants(planDeps(deps), { ...body, actor, scope });
    if (answer.outcome === "invalid") throw invalidManifests(answer.issues);
    return {
      items: answer.requested.map(({ item, content, digest, grant }) => ({
        ref: item.ref,
        credential: content.credential,
        action: item.action,
        changes: [...item.changes],
        notes: [...item.notes],
        digest,
        grant,
      })),
    };
  },

  async listGrants({ query, scope }, { ledger }) {
    const grants = await listGrants(ledger.db, { scope, ...query });
    return asJson({ grants: grants.map(shown) });
  },

  async showGrant({ params, scope }, { ledger }) {
    const [found] = await listGrants(ledger.db, { scope, id: params.grant, limit: 1 });
    if (found === undefined) throw new ProblemError("not_found", absence);
    const { isPlaceAllowed, openRotation } = found;
    return asJson({ ...shown(found), content: contentOf(found), isPlaceAllowed, openRotation });
  },

  async approveGrant({ params, body, actor, scope }, deps) {
    await refuseSecret(deps, scope, params.grant, body.reason);
    const given = { kind: "approve", digest: body.digest, actor } as const;
    const answered = await take(deps, scope, params.grant, given, body.reason);
    await settleProposals(deps);
    return answered;
  },

  async refuseGrant({ params, body, actor, scope }, deps) {
    await refuseSecret(deps, scope, params.grant, body.reason);
    return take(deps, scope, params.grant, { kind: "refuse", actor }, body.reason);
  },

  withdrawGrant: ({ params, actor, scope }, deps) => take(deps, scope, params.grant, { kind: "withdraw", actor }, ""),
};

/** Asked by the credential's owner alone: to others the answer would tell whether a word is its value. */
async function refuseSecret(deps: ApiDeps, scope: Scope, id: string, reason: string): Promise<void> {
  const [found] = await listGrants(deps.ledger.db, { scope, id, limit: 1 });
  if (found?.isOwner === true) await refuseSecretReason(deps, contentOf(found).credentialId, reason);
}

const states = { approve: "approved", refuse: "refused", withdraw: "withdrawn" } as const;

async function take(deps: ApiDeps, scope: Scope, id: string, given: GrantAnswer, reason: string) {
  const found = await answerGrant(planDeps(deps), { id, answer: given, scope, reason });
  switch (found.outcome) {
    case "not-found":
      throw new ProblemError("not_found", absence);
    case "refused":
      throw new ProblemError(found.code, found.reason);
    case "outdated":
      throw new ProblemError("grant_refused", `The grant is outdated, and nothing was registered. ${found.reason}`);
    case "answered":
      return { id, state: states[given.kind] };
  }
}

const planDeps = ({ ledger, catalog, custodyDefault, ...deps }: ApiDeps) => ({
  ledger,
  catalog,
  secrets: createConnectionSecrets(deps),
  custody: { places: deps.custody.places, usual: custodyDefault },
});

/** As `request-grants.ts` has stored it. */
const contentOf = ({ content }: GrantSummary) => content as unknown as GrantContent;

function shown(grant: GrantSummary) {
  const { kind, target, action } = contentOf(grant);
  return { ...grant, kind, target, action };
}
