import { bestWithoutChange, strengths, type Strength } from "../domain/evidence.ts";
import type { Policy } from "../domain/policy.ts";
import type { StoredEvidence } from "../ledger/registry-views.ts";
import type { Catalog } from "../providers/catalog.ts";

/** What a consumer is asked for and what its collectors can give, strongest first. */
export function evidenceOf(
  { collectors }: Catalog,
  evidence: StoredEvidence,
  policy: Policy,
): { readonly wanted: Strength; readonly canGive: readonly Strength[] } {
  const offers = Object.keys(evidence.collectors).flatMap((kind) => collectors[kind] ?? []);
  const given = new Set<Strength>([...offers.map(({ strength }) => strength), "delivered"]);
  return {
    wanted: (evidence.wanted as Strength | undefined) ?? policy.evidence ?? bestWithoutChange(offers),
    canGive: strengths.filter((strength) => given.has(strength)),
  };
}
