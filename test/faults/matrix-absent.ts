import type { Point } from "./matrix-cases.ts";

interface Absent {
  readonly steps: readonly string[];
  readonly points: readonly Point[];
  readonly why: string;
}

/** The points that no case can have, each with the reason. */
export const absentPoints: readonly Absent[] = [
  {
    steps: ["preflight", "adopt", "drain", "prove", "undo-guard-candidate", "undo-prove-refused"],
    points: ["B2"],
    why: "It only looks: no call of it has an effect whose answer could be lost.",
  },
  {
    steps: ["promote", "guard"],
    points: ["B2", "B3"],
    why: "It changes the ledger alone, in one transaction: there is no effect outside and no answer to read.",
  },
  {
    steps: ["undo-demote"],
    points: ["B2"],
    why: "It changes the ledger alone: there is no effect outside.",
  },
  {
    steps: ["close"],
    points: ["B3"],
    why: "What it records is one transaction with its end, and the answer of custody says nothing that is recorded.",
  },
  {
    steps: ["undo-close"],
    points: ["B1", "B2", "B3"],
    why: "It is one transaction that ends the rotation: no intent before it, no effect outside, no answer.",
  },
  {
    steps: [
      "undo-restore",
      "undo-demote",
      "undo-enable",
      "undo-guard-candidate",
      "undo-abandon",
      "undo-cut-back",
      "undo-prove-refused",
      "undo-forget",
      "undo-unstage",
    ],
    points: ["B5"],
    why: "One activity takes everything back and is acknowledged once: undo-close:B5. Before that it only says to wait.",
  },
];

/** Calls with an effect behind which no case dies. */
export const absentEffects: Readonly<Record<string, string>> = {
  "end-older":
    "It ends a version whose death a person took for granted, before anything is made, and again only while that is let in by its own value (full-slots.test.ts).",
  enable: "It is made for a consumer that broke once the old version was refused: such a rotation holds for a person.",
};
