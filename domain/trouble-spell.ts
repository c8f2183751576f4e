export interface SpellListener {
  /** The first failure of a spell. */
  readonly onTrouble: (error: unknown) => void;
  /** The spell is over; how many failures it had. */
  readonly onRecovered: (failures: number) => void;
}

export interface TroubleSpell {
  readonly failed: (error: unknown) => void;
  readonly worked: () => void;
}

/** What is tried again and again tells of its trouble once, and once of its end: not each second while something is away. */
export function createTroubleSpell({ onTrouble, onRecovered }: SpellListener): TroubleSpell {
  let failures = 0;
  return {
    failed(error) {
      failures += 1;
      if (failures === 1) onTrouble(error);
    },
    worked() {
      const ended = failures;
      failures = 0;
      if (ended > 0) onRecovered(ended);
    },
  };
}
