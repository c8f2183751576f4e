/**
 * The sequences of phases. Everything else about an order is derived from here. Those that contain end the former
 * version before any consumer has the new one: consumers break, and what has leaked is dead. In place: before there is
 * a new one at all, since the issuer has no room for it beside the former. Unproven: a person has given up the proof of
 * its death, and the consumers, who are cut off by then, get the new version all the same.
 */
export const orders = {
  overlap: [
    "reserved",
    "issued",
    "delivered",
    "adopted",
    "promoted",
    "drained",
    "disabled",
    "revoking",
    "revoked",
    "proven",
    "closed",
  ],
  "contain-first": [
    "reserved",
    "issued",
    "revoking",
    "revoked",
    "proven",
    "delivered",
    "adopted",
    "promoted",
    "closed",
  ],
  "contain-in-place": [
    "reserved",
    "revoking",
    "revoked",
    "issued",
    "proven",
    "delivered",
    "adopted",
    "promoted",
    "closed",
  ],
  "contain-unproven": ["reserved", "issued", "revoking", "revoked", "delivered", "adopted", "promoted", "closed"],
  "single-slot": [
    "reserved",
    "staged",
    "cut",
    "delivered",
    "adopted",
    "promoted",
    "drained",
    "ended",
    "proven",
    "closed",
  ],
  "contain-single-slot": ["reserved", "staged", "cut", "ended", "proven", "delivered", "adopted", "promoted", "closed"],
  "contain-slot-unproven": ["reserved", "staged", "cut", "ended", "delivered", "adopted", "promoted", "closed"],
} as const;

export type Order = keyof typeof orders;
export type Phase = (typeof orders)[Order][number];
export type Direction = "forward" | "undo";
export type Outcome = "proven" | "undone" | "closed-unproven" | "failed-before-effect";

/** The step that reaches a phase. `reserved` is reached by reserving, which is no step. */
const stepInto = {
  issued: "issue",
  staged: "stage",
  cut: "cut",
  delivered: "deliver",
  adopted: "adopt",
  promoted: "promote",
  drained: "drain",
  disabled: "disable",
  revoking: "guard",
  revoked: "revoke",
  ended: "end",
  proven: "prove",
  closed: "close",
} as const satisfies Record<Exclude<Phase, "reserved">, string>;

/** `preflight` leads nowhere: it is repeated freely in `reserved`, before the first effect. */
export type Step = "preflight" | (typeof stepInto)[keyof typeof stepInto];
export const steps: readonly Step[] = ["preflight", ...Object.values(stepInto)];

/** The steps of an order, in their sequence. */
export const stepsOf = (order: Order): readonly Step[] => [
  "preflight",
  ...orders[order].flatMap((phase) => stepFor(order, phase) ?? []),
];

/** Steps that change something outside: each stores its intent under a claim before it acts. The others only look. */
export const effectSteps: ReadonlySet<Step> = new Set<Step>([
  "issue",
  "stage",
  "cut",
  "deliver",
  "disable",
  "revoke",
  "end",
  "close",
]);

/**
 * Steps of which consumers may feel the effect, so that windows, freezes and pauses keep routine work from them. A
 * single-slot's delivery is none: from the cut on every minute of waiting is one of outage. The guard of the others asks
 * by itself before it lets the old version end, since it watches meanwhile.
 */
export const feltSteps: Readonly<Record<Order, ReadonlySet<Step>>> = {
  overlap: new Set<Step>(["deliver", "disable"]),
  "single-slot": new Set<Step>(["cut", "end"]),
  "contain-first": new Set<Step>(),
  "contain-in-place": new Set<Step>(),
  "contain-unproven": new Set<Step>(),
  "contain-single-slot": new Set<Step>(),
  "contain-slot-unproven": new Set<Step>(),
};

/** What takes back a phase. A phase that is absent needs nothing taken back. */
const undoOf = {
  reserved: "close",
  issued: "abandon",
  staged: "unstage",
  cut: "cut-back",
  delivered: "restore",
  promoted: "demote",
  disabled: "enable",
} as const satisfies Partial<Record<Phase, string>>;

export type UndoStep = (typeof undoOf)[keyof typeof undoOf];

const noReturn = {
  overlap: "revoking",
  "contain-first": "revoking",
  "contain-in-place": "revoking",
  "contain-unproven": "revoking",
  "single-slot": "cut",
  "contain-single-slot": "cut",
  "contain-slot-unproven": "cut",
} as const satisfies Record<Order, Phase>;

/** What decides whether there is a way back. Absent means no, of the first two. */
export interface ReturnConditions {
  /** A single-slot's former value can be set again. */
  readonly formerInCustody?: boolean;
  /** The former version has leaked. */
  readonly compromised?: boolean;
  /** An emergency needs this rotation's candidate: whatever fails, it is not taken back. */
  readonly onlyForward?: boolean;
}

/** The step after which the former version is refused to whoever comes anew. */
export const refusingStep = {
  overlap: "disable",
  "single-slot": "cut",
  "contain-first": "revoke",
  "contain-in-place": "revoke",
  "contain-unproven": "revoke",
  "contain-single-slot": "cut",
  "contain-slot-unproven": "cut",
} as const satisfies Record<Order, Step>;

/** Both versions are one login, so that the new value takes the former one's place. */
export const isOneSlot = (order: Order): boolean => (orders[order] as readonly Phase[]).includes("cut");

/** The former version ends before anybody has the new one. */
export const contains = (order: Order): boolean => order === containing(order);

/** The order that contains, of rotations that began in this one. */
export function containing(order: Order): Order {
  if (order === "overlap") return "contain-first";
  return order === "single-slot" ? "contain-single-slot" : order;
}

/** Nobody asks for the proof any more. */
export const isProofGivenUp = (order: Order): boolean => placeOf(order, "proven") < 0;

/** The same without the proof, where consumers have nothing that works until they get the new version; and in which phase. */
export function withoutProof(order: Order): { readonly order: Order; readonly phase: Phase } | undefined {
  if (!contains(order)) return undefined;
  return isOneSlot(order)
    ? { order: "contain-slot-unproven", phase: "ended" }
    : { order: "contain-unproven", phase: "revoked" };
}

/** The phase's place in its order, from 0; -1 when the order does not have it. */
export function placeOf(order: Order, phase: Phase): number {
  return (orders[order] as readonly Phase[]).indexOf(phase);
}

/** The phase after this one; undefined at the end and for a phase that the order does not have. */
export function nextPhase(order: Order, phase: Phase): Phase | undefined {
  const place = placeOf(order, phase);
  return place < 0 ? undefined : orders[order][place + 1];
}

/** The step that leads on from a phase; undefined when the rotation is closed. */
export function stepFor(order: Order, phase: Phase): Step | undefined {
  const into: Partial<Record<Phase | "", Step>> = stepInto;
  return into[nextPhase(order, phase) ?? ""];
}

/** The first phase from which there is only forward. */
export function pointOfNoReturn(order: Order): Phase {
  return noReturn[order];
}

/**
 * Whether undo is refused. A single-slot's cut may be crossed back while the former value is in custody and known not
 * to be compromised, until that value is proven dead. A phase foreign to the order counts as past: undoing it is a guess.
 */
export function isPastReturn(order: Order, phase: Phase, conditions: ReturnConditions = {}): boolean {
  const place = placeOf(order, phase);
  if (place < 0 || conditions.onlyForward === true) return true;
  if (place < placeOf(order, pointOfNoReturn(order))) return false;
  if (order !== "single-slot" || place >= placeOf(order, "proven")) return true;
  return conditions.formerInCustody !== true || conditions.compromised !== false;
}

/** What takes a phase back. Undefined when nothing was done that needs it, or it is past the point of no return. */
export function undoStepFor(order: Order, phase: Phase, conditions?: ReturnConditions): UndoStep | undefined {
  if (isPastReturn(order, phase, conditions)) return undefined;
  return (undoOf as Partial<Record<Phase, UndoStep>>)[phase];
}

/** Where undo goes from a phase. Undefined at `reserved`, whose undo is to close, and past the point of no return. */
export function previousPhase(order: Order, phase: Phase, conditions?: ReturnConditions): Phase | undefined {
  if (isPastReturn(order, phase, conditions)) return undefined;
  return orders[order][placeOf(order, phase) - 1];
}
