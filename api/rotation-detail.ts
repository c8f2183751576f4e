import { codes } from "../domain/errors.ts";
import { choicesFor } from "../domain/choice.ts";
import type { RotationState } from "../domain/command.ts";
import { isPastReturn } from "../domain/order.ts";
import { effectivePolicy } from "../domain/policy.ts";
import type { Scope } from "../domain/scope.ts";
import { readBroken } from "../ledger/broken-consumers.ts";
import { readConsumerViews } from "../ledger/credential-views.ts";
import { readAfterDeath } from "../ledger/death-watches.ts";
import { emergenciesOf } from "../ledger/emergency-views.ts";
import { readToldUses } from "../ledger/last-uses.ts";
import { rotationState } from "../ledger/rotation-state.ts";
import {
  readCommands,
  readConsumerProgress,
  readHolds,
  readLastUsage,
  readOwners,
  readRotation,
  type CommandView,
  type HoldView,
  type OwnerView,
  type RotationRecord,
} from "../ledger/rotation-views.ts";
import { showPolicy } from "../manifests/policy.ts";
import { evidenceOf } from "./consumer-evidence.ts";
import { asJson, type ApiDeps } from "./deps.ts";
import { lastUsesOf } from "./last-use.ts";
import type { Answer } from "./route-table.ts";
import { showEmergency } from "./show-emergency.ts";
import { shownPhases } from "./shown-phases.ts";
import { readFeltWaits } from "../ledger/felt-effects.ts";
import { waitsFor } from "./waits-for.ts";

/** Everything that somebody who looks at a rotation in the night wants to see. Undefined when there is no such one. */
export async function readDetail(
  { ledger, catalog }: ApiDeps,
  scope: Scope,
  rotationId: string,
): Promise<Answer<"showRotation"> | undefined> {
  const { db } = ledger;
  const record = await readRotation(db, scope, rotationId);
  if (record === undefined) return undefined;
  const whole = record.isShared ? undefined : rotationId;
  const [holds, commands, usage, progress, views, states, told, felt, emergencies, broken, afterDeath] =
    await Promise.all([
      whole === undefined ? [] : readHolds(db, whole),
      whole === undefined ? [] : readCommands(db, whole),
      whole === undefined ? undefined : readLastUsage(db, whole),
      readConsumerProgress(db, scope, rotationId),
      readConsumerViews(db, scope, record.credentialId),
      rotationState(db, [rotationId]),
      whole === undefined ? [] : readToldUses(db, whole),
      readFeltWaits(db, whole === undefined ? [] : [whole]),
      whole === undefined ? [] : emergenciesOf(db, whole),
      whole === undefined ? [] : readBroken(db, whole),
      whole === undefined ? [] : readAfterDeath(db, whole),
    ]);
  const state = states.get(rotationId);
  const policy = effectivePolicy(record.policy);
  const byConsumer = new Map(progress.map((one) => [one.id, one]));
  const open = holds.find(({ decidedAt }) => decidedAt === null);
  const owners = await readOwners(db, open?.gaps.flatMap(({ consumerId }) => consumerId ?? []) ?? []);
  const hold = open === undefined ? null : asOpenHold(open, { record, state, owners, commands });
  return asJson({
    ...record,
    policy: showPolicy(policy),
    lastProblem: record.lastCode === null ? null : { code: record.lastCode, title: codes[record.lastCode] },
    phases: shownPhases(record),
    isPastReturn: isPastReturn(record.order, record.phase, state?.conditions),
    waitsFor: waitsFor(record, { hold: open, commands, felt: felt.get(rotationId) }),
    hold,
    emergencies: emergencies.map(showEmergency),
    broken,
    afterDeath,
    answeredHolds: holds.flatMap(asAnswered),
    consumers: views.map((view) => ({
      ...view,
      ref: `${view.team}/${view.name}`,
      wanted: evidenceOf(catalog, view, policy).wanted,
      deliveredVersion: null,
      deliveredAt: null,
      ...byConsumer.get(view.id),
      evidence: byConsumer.get(view.id)?.evidence ?? [],
    })),
    sessions: usage === undefined ? null : { at: usage.at, list: usage.sessions },
    lastUses: [...lastUsesOf(catalog, record.kind, told)],
    commands,
  });
}

function asAnswered({ decision, decidedBy, reason, decidedAt, ...hold }: HoldView) {
  return decision === null || decidedAt === null
    ? []
    : [{ ...hold, decision, decidedBy: decidedBy ?? "", reason: reason ?? "", decidedAt }];
}

interface HoldScene {
  readonly record: RotationRecord;
  readonly state: RotationState | undefined;
  readonly owners: ReadonlyMap<string, OwnerView>;
  readonly commands: readonly CommandView[];
}

function asOpenHold(hold: HoldView, { record, state, owners, commands }: HoldScene) {
  const { id, number, phase, code, detail, gaps, openedAt } = hold;
  const [team = ""] = record.credential.split("/");
  // The newest command that a step has not heard yet and that will answer the hold.
  const given = commands.findLast(({ kind, state: heard }) => kind === "decide" && heard === "pending");
  return {
    id,
    number,
    phase,
    code,
    title: codes[code],
    detail,
    openedAt,
    gaps: gaps.map(({ consumerId = "", ...gap }, at) => ({
      ...gap,
      number: at + 1,
      owner: owners.get(consumerId) ?? null,
    })),
    owner: { consumer: null, team, contact: record.contact },
    choices: state === undefined ? [] : choicesFor(state),
    givenAnswer: given === undefined ? null : { decision: given.decision ?? "", actor: given.actor, at: given.at },
  };
}
