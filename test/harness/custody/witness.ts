/** What somebody outside of rekey finds of one version's value in a place of custody. */
export interface Resting {
  readonly number: number;
  /** `rest`: what was taken away can be found still, or brought back. */
  readonly state: "kept" | "rest";
  /** What lies there; absent where the place shows nobody what it holds. */
  readonly text?: string;
}

/** A place of custody outside the ledger, as its own people see it: nothing of rekey's is asked. */
export interface CustodyWitness {
  readonly place: string;
  /** All that is not gone of this credential's versions. */
  resting(credentialId: string): Promise<readonly Resting[]>;
  /** Deletes what lies there of this credential as a person does, who can bring it back. */
  hide(credentialId: string): Promise<void>;
  /** What rekey logs in with there. */
  readonly secrets: readonly string[];
}

/** The value within what lies there, as text. An entry that has none says nothing. */
export function textIn(entry: Readonly<Record<string, unknown>>): string {
  const value = entry["value"];
  return typeof value === "string" ? Buffer.from(value, "base64").toString("utf8") : "";
}
