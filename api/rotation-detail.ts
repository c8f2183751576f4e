import { codes } from "../domain/errors.ts";
import { decisionsFor } from "../domain/hold.ts";
import { isPastReturn, orders, placeOf, pointOfNoReturn, type Phase, type ReturnConditions } from "../domain/order.ts";
import { defaultPolicy } from "../domain/policy.ts";
import { readConsumerViews } from "../ledger/credential-views.ts";
import { rotationState } from "../ledger/rotation-state.ts";
import {
  readCommands,
  readConsumerProgress,
  readHolds,
  readLastUsage,
  readRotation,
  type CommandView,
  type HoldView,
  type RotationRecord,
} from "../ledger/rotation-views.ts";
import { showPolicy } from "../manifests/policy.ts";
import { evidenceOf } from "./consumer-evidence.ts";
import { asJson, type ApiDeps } from "./deps.ts";
import type { Answer } from "./route-table.ts";
import { waitsFor } from "./waits-for.ts";

/** Everything that somebody who looks at a rotation in the night wants to see. Undefined when there is no such one. */
export async function readDetail(
  { ledger, catalog }: ApiDeps,
  rotationId: string,
): Promise<Answer<"showRotation"> | undefined> {
  const { db } = ledger;
  const record = await readRotation(db, rotationId);
  if (record === undefined) return undefined;
  const [holds, commands, usage, progress, views, states] = await Promise.all([
    readHolds(db, rotationId),
    readCommands(db, rotationId),
    readLastUsage(db, rotationId),
    readConsumerProgress(db, rotationId),
    readConsumerViews(db, record.credentialId),
    rotationState(db, [rotationId]),
  ]);
  const conditions = states.get(rotationId)?.conditions;
  const policy = { ...defaultPolicy, ...record.policy };
  const byConsumer = new Map(progress.map((one) => [one.id, one]));
  const open = holds.find(({ decidedAt }) => decidedAt === null);
  const hold = open === undefined ? null : asOpenHold(open, record, conditions, commands);
  return asJson({
    ...record,
    policy: showPolicy(policy),
    lastProblem: record.lastCode === null ? null : { code: record.lastCode, title: codes[record.lastCode] },
    phases: phasesOf(record),
    isPastReturn: isPastReturn(record.order, record.phase, conditions),
    waitsFor: waitsFor(record, { hold: open, commands }),
    hold,
    answeredHolds: holds.flatMap(asAnswered),
    consumers: views.map((view) => ({
      ...view,
      ref: `${view.team}/${view.name}`,
      wanted: evidenceOf(catalog, view.evidence, policy).wanted,
      deliveredVersion: null,
      deliveredAt: null,
      ...byConsumer.get(view.id),
      evidence: byConsumer.get(view.id)?.evidence ?? [],
    })),
    sessions: usage === undefined ? null : { at: usage.at, list: usage.sessions },
    commands,
  });
}

interface ShownPhase {
  readonly phase: Phase;
  readonly state: "done" | "here" | "to come";
  readonly isPointOfNoReturn: boolean;
}

function phasesOf({ order, phase, outcome }: RotationRecord): ShownPhase[] {
  const here = placeOf(order, phase);
  const all: readonly Phase[] = orders[order];
  return all.map((one, place) => ({
    phase: one,
    state: place < here || (outcome !== null && place === here) ? "done" : place === here ? "here" : "to come",
    isPointOfNoReturn: one === pointOfNoReturn(order),
  }));
}

function asAnswered({ decision, decidedBy, reason, decidedAt, ...hold }: HoldView) {
  return decision === null || decidedAt === null
    ? []
    : [{ ...hold, decision, decidedBy: decidedBy ?? "", reason: reason ?? "", decidedAt }];
}

function asOpenHold(
  hold: HoldView,
  { order, phase, direction }: RotationRecord,
  conditions: ReturnConditions | undefined,
  commands: readonly CommandView[],
) {
  const { id, number, code, detail, gaps, openedAt } = hold;
  // The newest command that a step has not heard yet and that will answer the hold.
  const given = commands.findLast(({ kind, state }) => kind === "decide" && state === "pending");
  return {
    id,
    number,
    phase: hold.phase,
    code,
    title: codes[code],
    detail,
    openedAt,
    gaps: gaps.map((gap, at) => ({ ...gap, number: at + 1 })),
    answers: decisionsFor(order, phase, direction, code, conditions),
    givenAnswer: given === undefined ? null : { decision: given.decision ?? "", actor: given.actor, at: given.at },
  };
}
