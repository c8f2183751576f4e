import { crash, named, type Sabotage } from "./sabotage.ts";

const eachPhase = "test/emergency/each-phase.test.ts";

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
      // Whatever was decided, the delivery itself refuses it: either alone still keeps it back.
      {
        file: "activities/deliver-to.ts",
        find: "  if (version.isCompromised)\n    throw",
        put: '  if (version.isCompromised && step === "deliver")\n    throw',
      },
    ],
    caughtBy: [crash("emergency/both/close:B4")],
  },
  {
    name: "a freeze delays what is urgent",
    edits: [{ file: "ledger/felt-effects.ts", find: " AND NOT r.urgent`", put: "`" }],
    caughtBy: [crash("emergency/frozen/deliver:B2")],
  },
  {
    name: "a worker that takes over asks for room beside the candidate that is made",
    edits: [
      {
        file: "ledger/begin-steps.ts",
        find: "AND step IN ('issue', 'stage')`",
        put: "AND step IN ('issue', 'stage') AND state = 'done'`",
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
];
