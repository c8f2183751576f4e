import type { Scope } from "../domain/scope.ts";
import { transact } from "../ledger/database.ts";
import { requestCheck } from "../ledger/checks.ts";
import { listConsumers, type ConsumerSummary } from "../ledger/consumer-views.ts";
import { nameHint } from "../manifests/kind-named.ts";
import { explainEvidence } from "./consumer-evidence.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { findCredentialId } from "./find-credential.ts";
import { ProblemError } from "./problem.ts";

export const consumerHandlers: Handlers<"listConsumers" | "showConsumer" | "testConsumer"> = {
  async listConsumers({ query, scope }, { ledger, catalog }) {
    const { credential, ...rest } = query;
    const credentialId = credential === undefined ? undefined : await findCredentialId(ledger, scope, credential);
    const consumers = await listConsumers(ledger.db, { scope, ...rest, credentialId });
    return asJson({ consumers: consumers.map((one) => shown(catalog, one)) });
  },

  async showConsumer({ params, query, scope }, deps) {
    const found = await findConsumer(deps, scope, params.consumer, query.credential);
    const definition = deps.catalog.consumers[found.kind];
    const { offered, next } = explainEvidence(deps.catalog, found);
    const note = definition?.noteOf?.(found.target, `${found.team}/${found.name}`) ?? null;
    const kindTitle = definition?.title ?? found.kind;
    return asJson({ ...shown(deps.catalog, found), kindTitle, note, offered, next });
  },

  async testConsumer({ params, body, actor, scope }, deps) {
    const { id: subjectId, isOwn, isCredentialOwn } = await findConsumer(deps, scope, params.consumer, body.credential);
    if (!isOwn) throw new ProblemError("forbidden", "It is another team's consumer: that team tests it.");
    // Of another team's credential the look keeps to this consumer: who else is there is none of its business.
    const onlyOwn = isCredentialOwn ? {} : { arguments: { onlyOwn: true } };
    const request = { kind: "consumer-test", subjectId, requestedBy: actor, ...onlyOwn } as const;
    return { checkId: await transact(deps.ledger, (trx) => requestCheck(trx, request)) };
  },
};

function shown(catalog: ApiDeps["catalog"], consumer: ConsumerSummary) {
  const { wanted, wantedBy, canGive } = explainEvidence(catalog, consumer);
  return { ...consumer, ref: `${consumer.team}/${consumer.name}`, wanted, wantedBy, canGive };
}

/** The one consumer that is meant: an id, `team/name` or a name; the credential tells apart those of one name. */
export async function findConsumer(
  { ledger }: ApiDeps,
  scope: Scope,
  reference: string,
  credential: string | undefined,
): Promise<ConsumerSummary> {
  const credentialId = credential === undefined ? undefined : await findCredentialId(ledger, scope, credential);
  const [first, ...others] = await listConsumers(ledger.db, { scope, reference, credentialId, limit: 10 });
  if (first === undefined) {
    const all = await listConsumers(ledger.db, { scope, credentialId, limit: 500 });
    const hint = nameHint(
      "Consumer",
      reference,
      all.map(({ team, name }) => `${team}/${name}`),
      "rekey consumer list",
    );
    throw new ProblemError("not_found", hint);
  }
  if (others.length > 0) {
    const names = [first, ...others].map((one) => `${one.team}/${one.name} of ${one.credential}`).join(", ");
    throw new ProblemError(
      "request_invalid",
      `Several consumers have that name: ${names}. Write team/name, and name the credential too with --credential.`,
    );
  }
  return first;
}
