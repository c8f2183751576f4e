import type { Policy } from "../../domain/policy.ts";

/**
 * The points of a step: B0 before the intent, B1 intent stored, B2 effect applied and the answer not read, B3 answer read
 * and not recorded, B4 recorded and not acknowledged to Temporal, B5 acknowledged.
 */
const points = ["B0", "B1", "B2", "B3", "B4", "B5"] as const;
export type Point = (typeof points)[number];

export interface MatrixCase {
  readonly name: string;
  /** `<step>:<point>`; the name too, where nobody aborts after the crash. */
  readonly failpoint: string;
  readonly step: string;
  readonly point: Point;
  readonly order: "overlap" | "single-slot";
  /** The phase in which a person aborts; without it the rotation runs to its end. */
  readonly abortIn?: string;
  /** A person aborts after the crash, before another worker takes over. */
  readonly abortsAfter?: true;
  readonly policy: Partial<Policy>;
}

interface Row {
  readonly step: string;
  readonly has: readonly Point[];
}

/** A step that only looks makes no call with an effect: it has no B2. */
const looks = ["B0", "B1", "B3", "B4", "B5"] as const;
/** One that changes the ledger alone reads no answer either. */
const records = ["B0", "B1", "B4", "B5"] as const;

const overlap: readonly Row[] = [
  { step: "preflight", has: looks },
  { step: "issue", has: points },
  { step: "deliver", has: points },
  { step: "deliver-one", has: ["B1", "B3"] },
  { step: "adopt", has: looks },
  { step: "promote", has: records },
  { step: "drain", has: looks },
  { step: "disable", has: points },
  { step: "guard", has: records },
  { step: "revoke", has: points },
  { step: "prove", has: looks },
  // What it records is one transaction with its end: between B2 and B4 there is nothing.
  { step: "close", has: ["B0", "B1", "B2", "B4", "B5"] },
];

const undo: readonly Row[] = [
  { step: "undo-restore", has: ["B0"] },
  { step: "restore-one", has: ["B1", "B3"] },
  { step: "restore", has: ["B2"] },
  { step: "undo-demote", has: ["B0", "B1", "B3", "B4"] },
  { step: "undo-guard-candidate", has: ["B0", "B1", "B3", "B4"] },
  { step: "undo-abandon", has: ["B0", "B1", "B2", "B3", "B4"] },
  { step: "undo-prove-refused", has: ["B0", "B1", "B3", "B4"] },
  { step: "undo-forget", has: ["B0", "B1", "B2", "B3", "B4"] },
  { step: "undo-close", has: ["B0"] },
];

const undoOfDisabled: readonly Row[] = [{ step: "undo-enable", has: ["B0", "B1", "B2", "B3", "B4"] }];

/** What the single-slot order does otherwise than the overlap. To stage is to fill custody alone. */
const singleSlot: readonly Row[] = [
  { step: "stage", has: looks },
  { step: "cut", has: points },
  { step: "end", has: points },
];

/** What a crash has left half done is taken back: only the intents say that it may be there. */
const takenBack: readonly Row[] = [
  { step: "issue", has: ["B1", "B2", "B3"] },
  { step: "deliver-one", has: ["B1", "B3"] },
  { step: "deliver", has: ["B2"] },
  { step: "disable", has: ["B1", "B2", "B3"] },
];

const takenBackInSlot: readonly Row[] = [
  { step: "stage", has: ["B1", "B3"] },
  { step: "cut", has: ["B1", "B2", "B3"] },
];

const undoOfCut: readonly Row[] = [{ step: "undo-cut-back", has: ["B0", "B1", "B2", "B3", "B4"] }];

/** The operation whose intent a crash at this point must leave behind; a step that only looks has none. */
export function operationOf({ step, point }: MatrixCase): string | undefined {
  const undoes = /^undo-(.+)$/.exec(step)?.[1];
  const named = undoes ?? step.replace(/-one$/, "");
  const noIntent = ["preflight", "adopt", "promote", "drain", "guard", "prove"];
  return point === "B0" || noIntent.includes(named) ? undefined : named;
}

/** So long that the abort comes first. */
const long = 120_000;
/** A crash costs seconds in which nobody looks; no person is to be asked because of it. */
const patient = { holdAfterMs: 60_000 };

type Rest = Omit<MatrixCase, "name" | "failpoint" | "step" | "point">;

const expand = (rows: readonly Row[], rest: Rest): readonly MatrixCase[] =>
  rows.flatMap(({ step, has }) =>
    has.map((point) => {
      const failpoint = `${step}:${point}`;
      const name = rest.abortsAfter === true ? `abort-after-${failpoint}` : failpoint;
      return { name, failpoint, step, point, ...rest };
    }),
  );

export const matrixCases: readonly MatrixCase[] = [
  ...expand(overlap, { order: "overlap", policy: patient }),
  ...expand(undo, { order: "overlap", abortIn: "promoted", policy: { ...patient, graceMs: long } }),
  ...expand(undoOfDisabled, { order: "overlap", abortIn: "disabled", policy: { ...patient, disabledForMs: long } }),
  ...expand(singleSlot, { order: "single-slot", policy: patient }),
  ...expand(takenBack, { order: "overlap", abortsAfter: true, policy: patient }),
  ...expand(takenBackInSlot, { order: "single-slot", abortsAfter: true, policy: patient }),
  ...expand(undoOfCut, { order: "single-slot", abortIn: "promoted", policy: { ...patient, graceMs: long } }),
];
