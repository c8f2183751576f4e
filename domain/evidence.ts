/** How sure we are that a running consumer uses a version, strongest first. */
export const strengths = ["attested", "observed", "acknowledged", "delivered"] as const;

export type Strength = (typeof strengths)[number];

/** Whether evidence of this strength is at least as strong as what is wanted. */
export function meets(strength: Strength, wanted: Strength): boolean {
  return strengths.indexOf(strength) <= strengths.indexOf(wanted);
}

/** What one collector could show of a consumer. */
export interface EvidenceOffer {
  readonly strength: Strength;
  /** The application itself has to be changed before it can show this. */
  readonly needsChange: boolean;
}

/** The default policy: the strongest evidence that needs no change to the application. Every target can be read back. */
export function bestWithoutChange(offers: readonly EvidenceOffer[]): Strength {
  return strengths.find((strength) => offers.some((o) => !o.needsChange && o.strength === strength)) ?? "delivered";
}
