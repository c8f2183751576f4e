import type { Phase } from "../../domain/order.ts";
import { patient, whenPromoted, type MatrixCase } from "./matrix-cases.ts";

/** A worker dies in a rotation that an emergency began, hurried, turned round or took back. */
export interface EmergencyCase extends Omit<MatrixCase, "abortsAfter"> {
  readonly emergency: {
    /** `at-once`: no rotation runs. A phase: when the rotation is there. `after`: when its worker has died. */
    readonly declared: "at-once" | "after" | Phase;
    /** Of the rotation that runs; without one the version in use. */
    readonly names: "former" | "candidate" | "both";
    readonly contain: boolean;
    /** A freeze lasts from before the rotation until long after it. */
    readonly isFrozen?: true;
    /** Somebody unknown to rekey logs in by the other login of the pair, so that there is no room. */
    readonly isFull?: true;
  };
}

type Point = MatrixCase["point"];
interface Row {
  readonly step: string;
  readonly has: readonly Point[];
  /** Whose failpoints these are, where the code has another name for the step. */
  readonly at?: string;
}

/**
 * What hurries takes all of its steps in one activity, so that only the last of them is acknowledged to Temporal: no step
 * but `close` has a B5.
 */
const acts: readonly Point[] = ["B0", "B1", "B2", "B3", "B4"];
const looks: readonly Point[] = ["B0", "B1", "B3", "B4"];
const records: readonly Point[] = ["B0", "B1", "B4"];
const effect: readonly Point[] = ["B1", "B2", "B3"];

const delivers: readonly Row[] = [
  { step: "deliver", has: acts },
  { step: "deliver-one", has: ["B1", "B3"] },
  { step: "adopt", has: looks },
  { step: "promote", has: records },
  { step: "close", has: ["B0", "B1", "B2", "B4", "B5"] },
];

export const containFirst: readonly Row[] = [
  { step: "preflight", has: looks },
  { step: "issue", has: acts },
  { step: "choose", has: ["B2"] },
  { step: "guard", has: records },
  { step: "revoke", has: acts },
  { step: "prove", has: looks },
  ...delivers,
];

export const containInPlace: readonly Row[] = [
  { step: "preflight", has: looks },
  { step: "guard", has: records },
  { step: "revoke", has: acts },
  { step: "issue", has: acts },
  { step: "choose", has: ["B2"] },
  { step: "prove", has: looks },
  ...delivers,
];

export const containSingleSlot: readonly Row[] = [
  { step: "preflight", has: looks },
  { step: "stage", has: looks },
  { step: "stage", has: ["B2"], at: "choose" },
  { step: "cut", has: acts },
  { step: "end", has: acts },
  { step: "prove", has: looks },
  ...delivers,
];

/** What of a rotation is left to do, once it was promoted and ends the former version. */
const ends: readonly Row[] = [
  { step: "guard", has: records },
  { step: "revoke", has: effect },
  { step: "prove", has: ["B1", "B3"] },
  { step: "close", has: ["B2", "B4"] },
];
const endsInSlot: readonly Row[] = [
  { step: "end", has: effect },
  { step: "prove", has: ["B1", "B3"] },
  { step: "close", has: ["B2", "B4"] },
];

const restores: readonly Row[] = [
  { step: "undo-restore", has: ["B0", "B4"] },
  { step: "restore-one", has: ["B1", "B3"] },
  { step: "restore", has: ["B2"] },
];
const undoes: readonly Row[] = [
  ...restores,
  { step: "undo-demote", has: looks },
  { step: "undo-guard-candidate", has: looks },
  { step: "undo-abandon", has: acts },
  { step: "undo-prove-refused", has: looks },
  { step: "undo-forget", has: acts },
  { step: "undo-close", has: ["B0", "B4"] },
];
const undoesInSlot: readonly Row[] = [
  ...restores,
  { step: "undo-cut-back", has: acts },
  { step: "undo-prove-refused", has: looks },
  { step: "undo-unstage", has: ["B2"], at: "undo-forget" },
  { step: "undo-close", has: ["B0", "B4"] },
];

/** Of a rotation after one that could not make anything clean. */
const follows: readonly Row[] = [
  { step: "issue", has: effect },
  { step: "deliver", has: ["B2"] },
];
const followsInSlot: readonly Row[] = [
  { step: "cut", has: effect },
  { step: "deliver", has: ["B2"] },
];

type Rest = Pick<EmergencyCase, "order" | "abortIn" | "policy" | "emergency">;

const expand = (group: string, rows: readonly Row[], rest: Rest): readonly EmergencyCase[] =>
  rows.flatMap(({ step, has, at = step }) =>
    has.map((point) => ({
      ...{ name: `emergency/${group}/${step}:${point}`, issuer: "postgres", custody: "embedded" },
      ...{ failpoint: `${at}:${point}`, step, point, ...rest },
    })),
  ) as readonly EmergencyCase[];

const contain = true;
/** A routine rotation stays there until its emergency: its grace is long. */
const { policy: waits } = whenPromoted;
const overlap = { order: "overlap", policy: patient } as const;
const inSlot = { order: "single-slot", policy: patient } as const;

/** Nothing runs. */
const begun: readonly EmergencyCase[] = [
  ...expand("contain-first", containFirst, {
    ...overlap,
    emergency: { declared: "at-once", names: "former", contain },
  }),
  ...expand("contain-in-place", containInPlace, {
    ...overlap,
    emergency: { declared: "at-once", names: "former", contain, isFull: true },
  }),
  ...expand("contain-single-slot", containSingleSlot, {
    ...inSlot,
    emergency: { declared: "at-once", names: "former", contain },
  }),
];

/** A routine rotation has been promoted, and the worker dies in what the emergency makes of it. */
const changed: readonly EmergencyCase[] = [
  { order: "overlap", forward: ends, back: undoes, next: follows, prefix: "" } as const,
  { order: "single-slot", forward: endsInSlot, back: undoesInSlot, next: followsInSlot, prefix: "slot-" } as const,
].flatMap(({ order, forward, back, next, prefix }) => {
  const when = (names: EmergencyCase["emergency"]["names"]): Rest => {
    return { order, policy: waits, emergency: { declared: "promoted", names, contain } };
  };
  return [
    ...expand(`${prefix}former`, forward, when("former")),
    ...expand(`${prefix}candidate`, back, when("candidate")),
    ...expand(`${prefix}both`, [...forward, ...next], when("both")),
  ];
});

/** A worker of a routine rotation is dead when the emergency is declared: the next one finds it. */
const found: readonly EmergencyCase[] = (["former", "candidate", "both"] as const).flatMap((names) => {
  const emergency = { declared: "after", names, contain } as const;
  const making = names === "candidate" ? [] : [{ step: "issue", has: effect }];
  const cutting = names === "candidate" ? [] : [{ step: "cut", has: effect }];
  return [
    ...expand(
      `found-${names}`,
      [
        ...making,
        { step: "deliver", has: ["B2"] },
        { step: "deliver-one", has: ["B1", "B3"] },
        { step: "disable", has: effect },
        { step: "revoke", has: effect },
      ],
      { ...overlap, emergency },
    ),
    ...expand(
      `found-slot-${names}`,
      [...cutting, { step: "deliver", has: ["B2"] }, { step: "end", has: effect }, { step: "prove", has: ["B3"] }],
      { ...inSlot, emergency },
    ),
    // A person aborts, and the worker dies in the undo.
    ...expand(
      `turned-${names}`,
      [
        ...restores,
        { step: "undo-demote", has: ["B1", "B3"] },
        { step: "undo-guard-candidate", has: ["B1"] },
        { step: "undo-abandon", has: effect },
        { step: "undo-forget", has: ["B2"] },
      ],
      { ...overlap, policy: waits, abortIn: "promoted", emergency },
    ),
    ...expand(`turned-slot-${names}`, [...restores, { step: "undo-cut-back", has: effect }], {
      ...{ order: "single-slot", policy: waits, abortIn: "promoted", emergency },
    }),
  ];
});

/** Consumers are to move first, and a freeze forbids every effect that they feel; a routine rotation waits for its end. */
const frozen: readonly EmergencyCase[] = expand(
  "frozen",
  [
    { step: "deliver", has: ["B2"] },
    { step: "disable", has: ["B2"] },
    { step: "guard", has: ["B1"] },
    { step: "revoke", has: ["B2"] },
  ],
  { ...overlap, emergency: { declared: "issued", names: "former", contain: false, isFrozen: true } },
);

export const emergencyCases: readonly EmergencyCase[] = [...begun, ...changed, ...found, ...frozen];

/** One of each kind of course, and of the two orders what can be lost outside. */
export const shortEmergencies: ReadonlySet<string> = new Set(
  [
    ...["issue:B2", "revoke:B1", "revoke:B2", "prove:B3", "deliver:B2"].map((name) => `contain-first/${name}`),
    "contain-in-place/issue:B2",
    ...["cut:B2", "end:B2", "deliver:B2"].map((name) => `contain-single-slot/${name}`),
    ...["former/revoke:B2", "candidate/restore:B2", "candidate/undo-abandon:B2", "both/close:B4", "both/issue:B2"],
    ...["slot-candidate/undo-cut-back:B2", "slot-both/cut:B2"],
    ...[
      "found-former/issue:B2",
      "found-candidate/deliver:B2",
      "turned-former/restore:B2",
      "turned-former/undo-abandon:B2",
    ],
    "frozen/deliver:B2",
  ].map((name) => `emergency/${name}`),
);
