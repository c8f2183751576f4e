import { bestWithoutChange, strengths, type EvidenceOffer, type Strength } from "../domain/evidence.ts";
import type { Policy } from "../domain/policy.ts";
import type { ConsumerSummary, SeenEvidence } from "../ledger/consumer-views.ts";
import type { StoredEvidence } from "../ledger/registry-views.ts";
import { evidenceSnippet } from "../manifests/evidence-snippet.ts";
import type { Catalog } from "../providers/catalog.ts";
import type { EvidenceDefinition } from "../providers/contract/evidence.ts";

/** What a consumer is asked for and what its collectors can give, strongest first. */
export function evidenceOf(
  { collectors, consumers }: Catalog,
  { kind, evidence }: { readonly kind: string; readonly evidence: StoredEvidence },
  policy: Policy,
): { readonly wanted: Strength; readonly canGive: readonly Strength[] } {
  const offers = Object.keys(evidence.collectors).flatMap((source) => collectors[source] ?? []);
  const target = consumers[kind]?.isNotice === true ? [] : [readBack];
  const given = new Set<Strength>([...offers, ...target].map(({ strength }) => strength));
  return {
    wanted: wantedOf(evidence, policy, offers).wanted,
    canGive: strengths.filter((strength) => given.has(strength)),
  };
}

/** And by whose wish. */
function wantedOf(evidence: StoredEvidence, policy: Policy, offers: readonly EvidenceOffer[]) {
  const own = evidence.wanted as Strength | undefined;
  if (own !== undefined) return { wanted: own, wantedBy: "the consumer's own manifest" };
  if (policy.evidence !== undefined) return { wanted: policy.evidence, wantedBy: "the credential's policy" };
  return {
    wanted: bestWithoutChange(offers),
    wantedBy: "nobody in particular: the best it can give without a change of the application",
  };
}

/** One kind of evidence, from where a consumer stands. */
export interface OfferedEvidence {
  readonly kind: string;
  readonly title: string;
  readonly strength: Strength;
  readonly needsChange: boolean;
  /** It is collected of this consumer. */
  readonly isCollected: boolean;
  readonly last: SeenEvidence | null;
}

/** The weakest evidence: read back from the target itself, of every kind. */
const readBack = { kind: "target", title: "What the target holds", strength: "delivered", needsChange: false } as const;

/** Which evidence a consumer gives, which it could, and what to write for the next stronger one. */
export function explainEvidence({ collectors, consumers }: Catalog, consumer: ConsumerSummary) {
  const { kind, evidence, policy, seen } = consumer;
  const lastOf = (source: string) => seen.find((one) => one.source === source) ?? null;
  const asksFor = (source: string) => source in evidence.collectors;
  // What needs the platform's word is collected where the kind gives it, and cannot be asked of others.
  const all = Object.values(collectors).filter((one) => one.needsInstances !== true || asksFor(one.kind));
  const offered: readonly OfferedEvidence[] = [
    ...all.map((definition) => ({
      kind: definition.kind,
      title: definition.title,
      strength: definition.strength,
      needsChange: definition.needsChange,
      isCollected: asksFor(definition.kind),
      last: lastOf(definition.kind),
    })),
    ...(consumers[kind]?.isNotice === true ? [] : [{ ...readBack, isCollected: true, last: lastOf(readBack.kind) }]),
  ].toSorted((a, b) => strengths.indexOf(a.strength) - strengths.indexOf(b.strength));
  const collected = offered.filter(({ isCollected }) => isCollected);
  const next = nextStronger(all, collected);
  return {
    ...wantedOf(evidence, policy, collected),
    canGive: strengths.filter((strength) => collected.some((one) => one.strength === strength)),
    offered,
    next:
      next === undefined
        ? null
        : {
            kind: next.kind,
            strength: next.strength,
            needsChange: next.needsChange,
            snippet: evidenceSnippet(evidence, { [next.kind]: next.example ?? {} }),
          },
  };
}

/** The smallest step up; of two the one that leaves the application as it is. */
function nextStronger(
  all: readonly EvidenceDefinition[],
  collected: readonly OfferedEvidence[],
): EvidenceDefinition | undefined {
  const rank = ({ strength }: { readonly strength: Strength }) => strengths.indexOf(strength);
  const best = Math.min(strengths.length, ...collected.map(rank));
  return all
    .filter((one) => rank(one) < best)
    .toSorted((a, b) => rank(b) - rank(a) || Number(a.needsChange) - Number(b.needsChange))[0];
}
