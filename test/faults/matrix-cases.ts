import type { Policy } from "../../domain/policy.ts";

/**
 * The points of a step: B0 before the intent, B1 intent stored, B2 effect applied and the answer not read, B3 answer read
 * and not recorded, B4 recorded and not acknowledged to Temporal, B5 acknowledged.
 */
export const points = ["B0", "B1", "B2", "B3", "B4", "B5"] as const;
export type Point = (typeof points)[number];
/** `call`: what came before is done, and the call with the effect is not sent. */
type Place = Point | "call";

export interface MatrixCase {
  readonly name: string;
  /** At which issuer; its servers are opened by `crash-issuers.ts`. */
  readonly issuer: "postgres" | "vault" | "aws";
  /** Where the values rest; its servers are opened by `crash-custodies.ts`. */
  readonly custody: "embedded" | "aws" | "vault";
  /** Where the worker dies; the name too, where neither order nor abort has to be told apart. */
  readonly failpoint: string;
  readonly step: string;
  readonly point: Place;
  readonly order: "overlap" | "single-slot";
  /** The phase in which a person aborts; without it the rotation runs to its end. */
  readonly abortIn?: string;
  /** A person aborts after the crash, before another worker takes over. */
  readonly abortsAfter?: true;
  readonly policy: Partial<Policy>;
}

/** Points of one step. What a row does not have is in `matrix-absent.ts` with the reason, or `matrix.test.ts` fails. */
interface Row {
  readonly step: string;
  readonly has: readonly Place[];
  /** The step that it is a part of: what is done for each consumer, or another name of the place. */
  readonly of?: string;
  /** Whose failpoints these are, where the code has another name for the step. */
  readonly at?: string;
}

/** A step that only looks makes no call with an effect: it has no B2. */
const looks = ["B0", "B1", "B3", "B4", "B5"] as const;
/** One that changes the ledger alone reads no answer either. */
const records = ["B0", "B1", "B4", "B5"] as const;
/** What it records is one transaction with its end: between B2 and B4 there is nothing. */
const closes = ["B0", "B1", "B2", "B4", "B5"] as const;
/** One of an undo is acknowledged with all the others, at its end. */
const takesBack = ["B0", "B1", "B2", "B3", "B4"] as const;
const takesBackUnseen = ["B0", "B1", "B3", "B4"] as const;

const deliver: readonly Row[] = [
  { step: "deliver", has: points },
  { step: "deliver-one", has: ["B1", "B3"], of: "deliver" },
];
const restore: readonly Row[] = [
  { step: "undo-restore", has: ["B0", "B4"] },
  { step: "restore-one", has: ["B1", "B3"], of: "undo-restore" },
  { step: "restore", has: ["B2"], of: "undo-restore" },
];

const overlap: readonly Row[] = [
  { step: "preflight", has: looks },
  { step: "issue", has: points },
  // Custody has the value, the ledger does not know yet which slot it is for.
  { step: "choose", has: ["B2"], of: "issue" },
  ...deliver,
  { step: "adopt", has: looks },
  { step: "promote", has: records },
  { step: "drain", has: looks },
  { step: "disable", has: points },
  { step: "guard", has: records },
  { step: "revoke", has: points },
  { step: "prove", has: looks },
  { step: "close", has: closes },
];

const undo: readonly Row[] = [
  ...restore,
  { step: "undo-demote", has: takesBackUnseen },
  { step: "undo-guard-candidate", has: takesBackUnseen },
  { step: "undo-abandon", has: takesBack },
  { step: "undo-prove-refused", has: takesBackUnseen },
  { step: "undo-forget", has: takesBack },
  { step: "undo-close", has: ["B0", "B4", "B5"] },
];

const undoOfDisabled: readonly Row[] = [{ step: "undo-enable", has: takesBack }];

/** What only the single-slot order does. To stage is to fill custody alone. */
const singleSlot: readonly Row[] = [
  { step: "stage", has: looks },
  { step: "stage", has: ["B2"], at: "choose" },
  { step: "cut", has: points },
  { step: "end", has: points },
];

/** The same code as in the overlap, at a time at which nobody may be able to log in. */
const alsoInSlot: readonly Row[] = [
  { step: "preflight", has: looks },
  ...deliver,
  { step: "adopt", has: looks },
  { step: "promote", has: records },
  { step: "drain", has: looks },
  { step: "prove", has: looks },
  { step: "close", has: closes },
];

const undoOfCut: readonly Row[] = [
  { step: "undo-cut-back", has: takesBack },
  { step: "undo-unstage", has: takesBack, at: "undo-forget" },
];

const alsoUndoneInSlot: readonly Row[] = [
  ...restore,
  { step: "undo-demote", has: takesBackUnseen },
  { step: "undo-guard-candidate", has: takesBackUnseen },
  { step: "undo-prove-refused", has: takesBackUnseen },
  { step: "undo-close", has: ["B0", "B4", "B5"] },
];

/** What a crash has left half done is taken back: only the intents say that it may be there. */
const delivering: readonly Row[] = [
  { step: "deliver-one", has: ["B1", "B3"] },
  { step: "deliver", has: ["B2"] },
];
const takenBack: readonly Row[] = [
  { step: "issue", has: ["B1", "B2", "B3"] },
  { step: "choose", has: ["B2"] },
  ...delivering,
  { step: "disable", has: ["B1", "B2", "B3"] },
];

const takenBackInSlot: readonly Row[] = [
  { step: "stage", has: ["B1", "B3"] },
  { step: "stage", has: ["B2"], at: "choose" },
  { step: "cut", has: ["B1", "B2", "B3"] },
  { step: "end", has: ["B1", "B2", "B3"] },
];

/** What the code calls an operation where the table has another word. */
const operationNames: Readonly<Record<string, string>> = { choose: "issue", keep: "issue", unstage: "forget" };

/** The operation whose intent a crash at this point must leave behind; a step that only looks has none. */
export function operationOf({ step, point }: MatrixCase): string | undefined {
  const undoes = /^undo-(.+)$/.exec(step)?.[1];
  const named = undoes ?? step.replace(/-one$/, "");
  const noIntent = ["preflight", "adopt", "promote", "drain", "guard", "prove"];
  // An undo that closes ends the rotation by the transaction that it would store an intent in.
  if (point === "B0" || noIntent.includes(named) || step === "undo-close") return undefined;
  return operationNames[named] ?? named;
}

/** So long that the abort comes first. */
const long = 120_000;
/** A crash costs seconds in which nobody looks; no person is to be asked because of it. */
export const patient = { holdAfterMs: 60_000 };

type Rest = Pick<MatrixCase, "issuer" | "custody" | "order" | "abortIn" | "abortsAfter" | "policy">;

const expand = (rows: readonly Row[], rest: Rest, prefix = ""): readonly MatrixCase[] =>
  rows.flatMap(({ step, has, at = step }) =>
    has.map((point) => ({ name: `${prefix}${step}:${point}`, failpoint: `${at}:${point}`, step, point, ...rest })),
  );

const atFirst = { issuer: "postgres", custody: "embedded", policy: patient } as const;
const inOverlap: Rest = { ...atFirst, order: "overlap" };
const inSlot: Rest = { ...atFirst, order: "single-slot" };
export const whenPromoted = { abortIn: "promoted", policy: { ...patient, graceMs: long } };
export const whenDisabled = { abortIn: "disabled", policy: { ...patient, disabledForMs: long } };

export const matrixCases: readonly MatrixCase[] = [
  ...expand(overlap, inOverlap),
  ...expand(undo, { ...inOverlap, ...whenPromoted }),
  ...expand(undoOfDisabled, { ...inOverlap, ...whenDisabled }),
  ...expand(singleSlot, inSlot),
  ...expand(takenBack, { ...inOverlap, abortsAfter: true }, "abort-after-"),
  ...expand(takenBackInSlot, { ...inSlot, abortsAfter: true }, "abort-after-"),
  ...expand(undoOfCut, { ...inSlot, ...whenPromoted }),
  ...expand(alsoInSlot, inSlot, "single-slot/"),
  ...expand(alsoUndoneInSlot, { ...inSlot, ...whenPromoted }, "single-slot/"),
  ...expand(delivering, { ...inSlot, abortsAfter: true }, "single-slot/abort-after-"),
];

/** At an issuer that mints there is nothing to choose before; what it has shown once is kept instead. */
const mints = ({ step }: Row): boolean => step !== "choose";
const keep: readonly Row[] = [{ step: "keep", has: ["call", "B2"], of: "issue" }];
/** Only some can refuse a version and take that back. */
const cannotDisable = ({ step }: Row): boolean => !["disable", "undo-enable"].includes(step);

type Where = Pick<MatrixCase, "issuer" | "custody">;

/** The same order and undo at an issuer that mints. */
function atMinting(where: Where, prefix: string, has: (row: Row) => boolean = () => true): readonly MatrixCase[] {
  const of = (rows: readonly Row[]) => rows.filter((row) => mints(row) && has(row));
  const rest: Rest = { ...inOverlap, ...where };
  return [
    ...expand([...of(overlap), ...keep], rest, prefix),
    ...expand(of(undo), { ...rest, ...whenPromoted }, prefix),
    ...expand(of(undoOfDisabled), { ...rest, ...whenDisabled }, prefix),
    ...expand([...of(takenBack), ...keep], { ...rest, abortsAfter: true }, `${prefix}abort-after-`),
  ];
}

export const mintedCases: readonly MatrixCase[] = [
  ...atMinting({ issuer: "vault", custody: "embedded" }, "vault/", cannotDisable),
  ...atMinting({ issuer: "aws", custody: "embedded" }, "aws/"),
];

/** What a place is asked for only where rekey chooses the value. */
function chosenIn(custody: MatrixCase["custody"]): readonly MatrixCase[] {
  const prefix = `custody-${custody}/postgres/`;
  const isChoosing = ({ step }: Row): boolean => step === "choose";
  return [
    ...expand(overlap.filter(isChoosing), { ...inOverlap, custody }, prefix),
    ...expand(undoOfDisabled, { ...inOverlap, custody, ...whenDisabled }, prefix),
    ...expand(takenBack.filter(isChoosing), { ...inOverlap, custody, abortsAfter: true }, `${prefix}abort-after-`),
    ...expand(
      singleSlot.filter(({ step }) => step !== "end"),
      { ...inSlot, custody },
      prefix,
    ),
    ...expand(
      takenBackInSlot.filter(({ step }) => step === "stage"),
      { ...inSlot, custody, abortsAfter: true },
      `${prefix}abort-after-`,
    ),
    ...expand(undoOfCut, { ...inSlot, custody, ...whenPromoted }, prefix),
  ];
}

/** With the values elsewhere than in the ledger. */
export const custodyCases: readonly MatrixCase[] = [
  ...atMinting({ issuer: "aws", custody: "aws" }, "custody-aws/"),
  ...chosenIn("aws"),
  ...atMinting({ issuer: "vault", custody: "vault" }, "custody-vault/", cannotDisable),
  ...chosenIn("vault"),
];

/** The step of its order that each name in the table stands for, where the two differ. */
export const partOf: ReadonlyMap<string, string> = new Map(
  [overlap, undo].flat().flatMap(({ step, of }) => (of === undefined ? [] : [[step, of] as const])),
);
