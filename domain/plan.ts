import { meets, strengths, type Strength } from "./evidence.ts";
import { nextPhase, pointOfNoReturn, stepFor, type Order, type Phase, type Step } from "./order.ts";

export interface PlanConsumer {
  readonly consumerId: string;
  readonly name: string;
  /** The kind of its target, as the calls name it. */
  readonly target: string;
  /** What is started anew after a delivery, as people name it. */
  readonly restarts: readonly string[];
  /** What its policy asks for. */
  readonly wanted: Strength;
  /** The strengths that its collectors can give as it stands. */
  readonly canGive: readonly Strength[];
}

/** Expected durations in milliseconds, from policy and the issuer's facts. */
export interface PlanDurations {
  readonly issueMs: number;
  /** For one consumer. */
  readonly deliverMs: number;
  readonly adoptMs: number;
  readonly graceMs: number;
  readonly disabledForMs: number;
  readonly revokeMs: number;
  /** The issuer's deactivation lag, over which the death is asked for. */
  readonly proveMs: number;
}

export interface PlanInput {
  readonly order: Order;
  readonly issuer: string;
  readonly consumers: readonly PlanConsumer[];
  readonly durations: PlanDurations;
  readonly canDisable: boolean;
}

export interface PlanStep {
  readonly step: Step;
  /** The phase that it reaches; `reserved` for preflight, which stays there. */
  readonly reaches: Phase;
  /** What is called, one line each; empty when only the ledger changes. */
  readonly calls: readonly string[];
  readonly minutes: number;
  /** After this step there is only forward. */
  readonly crossesReturn: boolean;
}

export interface Plan {
  readonly steps: readonly PlanStep[];
  readonly minutes: number;
  readonly pointOfNoReturn: Phase;
  /** What would make the rotation wait for a person as things stand. */
  readonly warnings: readonly string[];
}

/** All that a rotation will do, in its order. The same input gives the same plan, so that its digest can be approved. */
export function planRotation(input: PlanInput): Plan {
  const steps: PlanStep[] = [planStep(input, "preflight", "reserved")];
  let phase: Phase = "reserved";
  for (let step = stepFor(input.order, phase); step !== undefined; step = stepFor(input.order, phase)) {
    phase = nextPhase(input.order, phase) ?? phase;
    if (step !== "disable" || input.canDisable) steps.push(planStep(input, step, phase));
  }
  return {
    steps,
    minutes: toMinutes(steps.reduce((sum, { step }) => sum + stepMs(input, step), 0)),
    pointOfNoReturn: pointOfNoReturn(input.order),
    warnings: planWarnings(input.consumers),
  };
}

function planStep(input: PlanInput, step: Step, reaches: Phase): PlanStep {
  return {
    step,
    reaches,
    calls: callsOf(input, step),
    minutes: toMinutes(stepMs(input, step)),
    crossesReturn: reaches === pointOfNoReturn(input.order),
  };
}

/** Rounded up: a plan that promises less time than it takes is wrong. */
function toMinutes(ms: number): number {
  return Math.ceil(ms / 60_000);
}

function callsOf({ issuer, consumers }: PlanInput, step: Step): readonly string[] {
  const each = (say: (consumer: PlanConsumer) => string): string[] => consumers.map(say);
  switch (step) {
    case "preflight":
      return [
        `${issuer}: check identity, rights and room`,
        ...each((c) => `${c.target}: check that ${c.name} can be written`),
      ];
    case "issue":
      return [`${issuer}: issue the new version`, `${issuer}: log in with it`];
    case "stage":
      return ["custody: store the new value"];
    case "cut":
      return [`${issuer}: set the new value in place of the former one`, `${issuer}: log in with it`];
    case "deliver":
      return consumers.flatMap((c) => [
        `${c.target}: write the new version for ${c.name} and read it back`,
        ...c.restarts.map((what) => `${c.target}: restart ${what}`),
      ]);
    case "adopt":
      return each((c) => `${c.name}: collect evidence, ${c.wanted} or stronger`);
    case "drain":
    case "guard":
      return [...each((c) => `${c.name}: collect evidence again`), `${issuer}: look for use of the old version`];
    case "disable":
      return [`${issuer}: disable the old version, restorable`];
    case "revoke":
      return [`${issuer}: end the old version`, `${issuer}: end its sessions until none is seen`];
    case "end":
      return [`${issuer}: end the sessions begun before the cut`];
    case "prove":
      return [`${issuer}: log in with the old version and see it refused, under controls`];
    case "promote":
    case "close":
      return [];
  }
}

function stepMs({ durations, consumers, order }: PlanInput, step: Step): number {
  switch (step) {
    case "issue":
    case "stage":
    case "cut":
      return durations.issueMs;
    case "deliver":
      return durations.deliverMs * consumers.length;
    case "adopt":
      return durations.adoptMs;
    case "drain":
      return durations.graceMs;
    case "disable":
      return durations.disabledForMs;
    case "revoke":
    case "end":
      return durations.revokeMs;
    case "prove":
      return durations.proveMs;
    case "guard":
      // The second verdict wants newer evidence; contain-first has none to wait for.
      return order === "overlap" ? durations.adoptMs : 0;
    case "preflight":
    case "promote":
    case "close":
      return 0;
  }
}

function planWarnings(consumers: readonly PlanConsumer[]): string[] {
  if (consumers.length === 0)
    return ["No consumer is registered: a person will have to accept that nobody can be asked."];
  return consumers.flatMap(consumerWarnings);
}

function consumerWarnings({ name, canGive, wanted }: PlanConsumer): readonly string[] {
  const best = strengths.find((strength) => canGive.includes(strength));
  if (best === undefined || !meets(best, wanted))
    return [`Consumer ${name} can give ${best ?? "no evidence"}; its policy asks for ${wanted}.`];
  return best === "delivered"
    ? [
        `Consumer ${name}: all that can be seen of it is that its target was written, not that anybody runs on it. For stronger evidence: rekey consumer show ${name}`,
      ]
    : [];
}
