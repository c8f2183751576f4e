import type { Scope } from "../domain/scope.ts";
import { listProposals, type ProposalView } from "../ledger/proposal-views.ts";
import { dismissProposal } from "../ledger/proposals.ts";
import { proposedConsumer } from "../manifests/proposed-consumer.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { findCredentialId } from "./find-credential.ts";
import { ProblemError } from "./problem.ts";
import { refuseSecretReason } from "./refuse-secret-reason.ts";

export const proposalHandlers: Handlers<"listProposals" | "showProposal" | "dismissProposal"> = {
  async listProposals({ query, scope }, { ledger }) {
    const { credential, settled, limit } = query;
    const credentialId = credential === undefined ? undefined : await findCredentialId(ledger, scope, credential);
    const onlyOpen = settled !== "true";
    return asJson({ proposals: [...(await listProposals(ledger.db, { scope, credentialId, onlyOpen, limit }))] });
  },

  async showProposal({ params, scope }, deps) {
    const found = await findProposal(deps, scope, params.proposal);
    return asJson({ ...found, manifest: proposedConsumer(deps.catalog, found) });
  },

  async dismissProposal({ params, body, actor, scope }, deps) {
    const { id, credentialId, credential } = await findProposal(deps, scope, params.proposal);
    await refuseSecretReason(deps, credentialId, body.reason);
    if (!(await dismissProposal(deps.ledger, { id, actor, reason: body.reason })))
      throw new ProblemError(
        "request_invalid",
        `It is settled already; nothing was recorded. See how: rekey consumer proposals --credential ${credential} --settled`,
      );
    return { id };
  },
};

async function findProposal({ ledger }: ApiDeps, scope: Scope, id: string): Promise<ProposalView> {
  const [found] = await listProposals(ledger.db, { scope, id, onlyOpen: false, limit: 1 });
  if (found === undefined)
    throw new ProblemError("not_found", "There is no such proposal. List them: rekey consumer proposals --settled");
  return found;
}
