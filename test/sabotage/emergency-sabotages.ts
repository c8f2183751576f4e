import { crash, named, type Sabotage } from "./sabotage.ts";

const eachPhase = "test/emergency/each-phase.test.ts";
const consumers = "test/emergency/consumers.test.ts";
const underWay = "test/emergency/delivery-under-way.test.ts";
const routineWork = "test/emergency/routine-work.test.ts";

/** What may never become of a rotation of which something has leaked. */
export const emergencySabotages: readonly Sabotage[] = [
  {
    name: "a rotation is joined although its new version has leaked",
    edits: [
      {
        file: "domain/emergency.ts",
        find: '  if (!isNamed(toVersion)) return { how: isUndo ? "turn-forward"',
        put: '  if (toVersion > 0) return { how: isUndo ? "turn-forward"',
      },
    ],
    caughtBy: [crash("emergency/both/issue:B2"), named(eachPhase, "overlap, issued: the candidate")],
  },
  {
    name: "a clean candidate is given up after the intent that makes it",
    edits: [
      {
        file: "domain/emergency.ts",
        find: '  if (!isNamed(toVersion)) return { how: isUndo ? "turn-forward" : joined(running), ...forward };',
        put: '  if (!isNamed(toVersion)) return follow(running, "undo");',
      },
    ],
    caughtBy: [crash("emergency/former/revoke:B2"), named(eachPhase, "overlap, drained: the former,")],
  },
  {
    name: "a version that has leaked is brought back by an undo",
    edits: [
      {
        file: "domain/emergency.ts",
        find: "  return isFormerClean || !running.isTouched ?",
        put: "  return isFormerClean || running.isTouched ?",
      },
      // Whatever was decided, the delivery itself refuses it, and so does its intent: each alone still keeps it back.
      {
        file: "activities/deliver-to.ts",
        find: "  if (version.isCompromised)\n    throw",
        put: '  if (version.isCompromised && step === "deliver")\n    throw',
      },
      {
        file: "ledger/deliveries.ts",
        find: "v.compromised_at IS NOT NULL)",
        put: "v.compromised_at IS NOT NULL AND g.step = 'deliver')",
      },
    ],
    caughtBy: [crash("emergency/both/close:B4")],
  },
  {
    name: "a delivery that is under way does not hear of an emergency",
    edits: [
      {
        file: "ledger/deliveries.ts",
        find: "await notLeaking(trx, await toWhereTheyRead(trx, await inTheirDirection(trx, intents)))",
        put: "await toWhereTheyRead(trx, await inTheirDirection(trx, intents))",
      },
    ],
    caughtBy: [
      named(underWay, "keeps a version that has leaked from whoever"),
      named(underWay, "keeps the clean version from a suspect"),
    ],
  },
  {
    name: "a suspect keeps the new version, which it has got already",
    edits: [{ file: "ledger/emergencies.ts", find: "&& row.hadBy.length > 0 &&", put: "&& row.hadBy.length < 0 &&" }],
    caughtBy: [named(consumers, "and has got the new version already")],
  },
  {
    name: "a suspicion is lost when its consumer is deleted and registered anew",
    edits: [
      {
        file: "manifests/plan-deletion.ts",
        find: "suspectedBy === undefined ? []",
        put: "suspectedBy !== row.id ? []",
      },
    ],
    caughtBy: [named("manifests/delete.test.ts", "of a suspected consumer is refused")],
  },
  {
    name: "a second emergency answers what a person is asked about the first one's deadline",
    edits: [
      {
        file: "ledger/settle-emergencies.ts",
        find: "if (found.holdId !== null && isAnswered)",
        put: "if (found.holdId !== null)",
      },
    ],
    caughtBy: [named(consumers, "a second emergency does not answer the question")],
  },
  {
    name: "a freeze delays what is urgent",
    edits: [{ file: "ledger/felt-effects.ts", find: " AND NOT r.urgent`", put: "`" }],
    caughtBy: [crash("emergency/frozen/deliver:B2")],
  },
  {
    name: "where there is no room it waits for a person although it contains",
    edits: [{ file: "domain/emergency.ts", find: '(contains(order) ? "in-place" : "hold")', put: '"hold"' }],
    caughtBy: [
      crash("emergency/contain-in-place/issue:B2"),
      named("test/emergency/full-slots.test.ts", "contains: what has leaked is dead before there is another"),
    ],
  },
  {
    name: "a worker that takes over asks for room beside the candidate that is made",
    edits: [
      {
        file: "ledger/begin-steps.ts",
        find: "if (issueIntended && begun.get(id)?.acts === true)",
        put: "if (issueIntended && begun.get(id)?.acts === undefined)",
      },
    ],
    caughtBy: [crash("emergency/contain-first/issue:B2")],
  },
  {
    name: "what an undo brought back in its last moment is taken for nothing when it is turned forward",
    edits: [
      {
        file: "ledger/rotation-cases.ts",
        find: "AND x.sequence IS NULL AND x.version <> d.version",
        put: "AND x.sequence IS NULL AND x.version IS NULL",
      },
    ],
    caughtBy: [crash("emergency/turned-former/restore:B2")],
  },
  {
    name: "what a suspect still does counts against those who have moved",
    edits: [
      {
        file: "activities/evidence-round.ts",
        find: ".map(({ usage }) => usageOfOthers(deps, one, usage))",
        put: ".map(({ usage }) => usage)",
      },
    ],
    caughtBy: [named(consumers, "gets nothing, nobody waits for it")],
  },
  {
    name: "an emergency whose versions are dead stays open as long as its rotation",
    edits: [
      { file: "ledger/emergencies.ts", find: "AND v.state NOT IN ('proven-dead', 'accepted-unproven'))", put: ")" },
    ],
    caughtBy: [named(consumers, "that is the only consumer is cut off")],
  },
  {
    name: "an emergency that could not begin is forgotten",
    edits: [
      {
        file: "ledger/emergencies.ts",
        find: "OR NOT EXISTS (SELECT FROM rotations r WHERE r.credential_id = e.credential_id AND r.outcome IS NULL\n        AND r.urgent AND e.refused_code IS NULL))",
        put: ")",
      },
    ],
    caughtBy: [named("api/emergencies.test.ts", "begins by itself once one can")],
  },
  {
    name: "an emergency that could not begin is hidden by a routine rotation that was reserved since",
    edits: [{ file: "ledger/emergencies.ts", find: "\n        AND r.urgent AND e.refused_code IS NULL))", put: "))" }],
    caughtBy: [named(routineWork, "one that could not begin is carried by")],
  },
  {
    name: "a version that is being ended is kept up by a question about its deadline",
    edits: [
      {
        file: "ledger/settle-emergencies.ts",
        find: '"undo" || !isEnding(',
        put: '"undo" || isEnding("overlap", "closed") || !isEnding(',
      },
    ],
    caughtBy: [named(consumers, "a version that is being ended goes on to be")],
  },
  {
    name: "what began to stand in the way of an emergency after its declaration is passed over in silence",
    edits: [
      {
        file: "ledger/overridden.ts",
        find: "if (rotationIds.length === 0) return;",
        put: "if (rotationIds.length >= 0) return;",
      },
    ],
    caughtBy: [named(routineWork, "that begins after the emergency was declared")],
  },
  {
    name: "a version that is being issued just now cannot be named as leaked",
    edits: [{ file: "ledger/emergencies.ts", find: ' || (state === "intended" && isBegun);', put: ";" }],
    caughtBy: [named(routineWork, "one that is being issued just now is given up")],
  },
  {
    name: "an emergency gives up on an issuer that is away for a minute",
    edits: [
      {
        file: "domain/retry.ts",
        find: "if (leftMs === undefined || leftMs <= 0) return",
        put: "if (leftMs !== 0) return",
      },
    ],
    caughtBy: [named("domain/retry.test.ts", "an emergency is tried often")],
  },
];
