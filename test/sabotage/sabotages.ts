import { emergencySabotages } from "./emergency-sabotages.ts";
import { mintedSabotages } from "./minted-sabotages.ts";
import { crash, named, tests, type Sabotage } from "./sabotage.ts";

export const sabotages: readonly Sabotage[] = [
  {
    name: "revoke before adoption",
    edits: [
      {
        file: "activities/ask-and-judge.ts",
        find: "verdict: guardVerdict(input)",
        put: "verdict: { ...guardVerdict(input), clear: true, gaps: [] }",
      },
    ],
    caughtBy: [tests("test/faults/each-look.test.ts")],
  },
  {
    name: "undo registered after its step",
    edits: [
      {
        file: "ledger/undo-progress.ts",
        find: "FROM operations WHERE rotation_id = ${rotationId}`",
        put: "FROM operations WHERE rotation_id = ${rotationId} AND (state = 'done' OR target <> '')`",
      },
      {
        file: "ledger/rotation-cases.ts",
        find: "AND x.version = r.to_version",
        put: "AND x.version = r.to_version AND x.sequence IS NOT NULL",
      },
    ],
    caughtBy: [crash("abort-after-issue:B2"), crash("abort-after-deliver:B2"), crash("abort-after-disable:B2")],
  },
  {
    name: "claim not checked in the ledger",
    edits: [
      {
        file: "ledger/operations.ts",
        find: "if (rows.length !== turns.length)",
        put: "if (rows.length > turns.length)",
      },
      // The second line: either alone still refuses.
      {
        file: "ledger/standing-attempts.ts",
        find: "ELSE o.claim_epoch = g.epoch AND o.claim_number = g.number END",
        put: "ELSE true END",
      },
    ],
    caughtBy: [
      tests("ledger/operations.test.ts"),
      named("test/faults/second-attempt.test.ts", "is refused by the ledger"),
    ],
  },
  {
    name: "claim not checked at the target, an issuer",
    edits: [
      {
        file: "providers/issuers/postgres-role/mark.ts",
        find: "if (compareClaims(claim, mark.claim) < 0)",
        put: "if (compareClaims(claim, claim) < 0)",
      },
      {
        file: "providers/issuers/postgres-role/effects.ts",
        find: "if (mark.version === place.version || (mark.version === 0 && place.version === 1)) return",
        put: "if (mark.version >= place.version) return",
      },
    ],
    caughtBy: [
      named("test/faults/second-attempt.test.ts", "is refused at the target"),
      named("test/conformance/postgres-role.test.ts", "5 an outdated claim cannot issue"),
    ],
  },
  {
    name: "claim not checked at the target, a file",
    edits: [
      {
        file: "providers/consumers/file/take-turn.ts",
        find: "if (found === undefined || !isOlder(ours, found)) return;",
        put: "if (found === undefined || ours !== found) return;",
      },
    ],
    caughtBy: [tests("providers/consumers/file/interleaving.test.ts"), tests("test/conformance/file-consumer.test.ts")],
  },
  {
    name: "a program's word taken for a delivery",
    edits: [
      {
        file: "providers/consumers/exec/definition.ts",
        find: "if (seen.digest !== wanted) throw drifted(served);",
        put: "",
      },
    ],
    caughtBy: [tests("providers/consumers/exec/definition.test.ts")],
  },
  {
    name: "audit outside the transaction",
    edits: [
      {
        file: "ledger/audit.ts",
        find: "  const rows = events.map(",
        put: "  await sql`COMMIT`.execute(trx);\n  await sql`BEGIN`.execute(trx);\n  const rows = events.map(",
      },
    ],
    caughtBy: [named("ledger/operations.test.ts", "reserves nothing when the audit row cannot be written")],
  },
  {
    name: "sessions not ended, by the issuer",
    edits: [
      {
        file: "providers/issuers/postgres-role/sessions.ts",
        find: "  if (pids.length === 0) return 0;",
        put: "  if (pids.length >= 0) return 0;",
      },
    ],
    caughtBy: [
      tests("providers/issuers/postgres-role/sessions.test.ts"),
      named("test/workflows/hold.test.ts", "a forgotten session"),
    ],
  },
  {
    name: "sessions not ended, by the step",
    edits: [
      {
        file: "activities/revoke.ts",
        find: "  if (session.endSessions === undefined) return 0;",
        put: "  if (session.endSessions !== null) return 0;",
      },
    ],
    caughtBy: [named("test/workflows/hold.test.ts", "a session from before the cut")],
  },
  {
    name: "a probe without controls",
    edits: [
      {
        file: "providers/issuers/postgres-role/probe.ts",
        find: "  const isLive = request.control !== undefined;",
        put: '  if (controls.length === 0) return { verdict: "refused", code: refusedBySecret, controls };\n  const isLive = request.control !== undefined;',
      },
    ],
    caughtBy: [named("test/conformance/postgres-role.test.ts", "control")],
  },
  {
    name: "intent written after the effect",
    edits: [
      {
        file: "ledger/migrations/0002-rotation.sql",
        find: "CREATE TABLE deliveries (",
        put: "CREATE TABLE unwritten (LIKE operations);\nCREATE TABLE deliveries (",
      },
      {
        file: "ledger/operations.ts",
        find: "  return rows.map((row) => ({\n    operationId: row.id,",
        put: "  const ids = rows.map((row) => row.id);\n  await sql`INSERT INTO unwritten SELECT * FROM operations WHERE id = ANY(${ids})`.execute(trx);\n  await sql`DELETE FROM operations WHERE id = ANY(${ids})`.execute(trx);\n  return rows.map((row) => ({\n    operationId: row.id,",
      },
      {
        file: "ledger/operations.ts",
        find: "  const { rows } = await sql<TurnRow & { readonly state: string }>`",
        put: "  await sql`INSERT INTO operations SELECT * FROM unwritten WHERE id = ANY(${turns.map((turn) => turn.operationId)}) ON CONFLICT DO NOTHING`.execute(trx);\n  const { rows } = await sql<TurnRow & { readonly state: string }>`",
      },
    ],
    caughtBy: [crash("abort-after-issue:B2"), crash("abort-after-disable:B2")],
  },
  {
    name: "abandon without the mirrored guard",
    edits: [
      {
        file: "activities/undo-death.ts",
        find: "  if (unwanted === undefined && consumers.length === 0) return",
        put: "  if (consumers.length >= 0) return",
      },
    ],
    caughtBy: [named("test/workflows/undo.test.ts", "stays on the candidate")],
  },
  {
    name: "a credential deleted while its value lies in custody alone",
    edits: [
      {
        file: "manifests/plan-deletion.ts",
        find: "    ...(row.openRotation === null ? onlyInCustody.map(",
        put: "    ...(row.openRotation === undefined ? onlyInCustody.map(",
      },
    ],
    caughtBy: [tests("manifests/delete.test.ts")],
  },
  {
    name: "a Secret written without the resourceVersion that was read",
    edits: [
      {
        file: "providers/consumers/kubernetes-secret/deliver.ts",
        find: "      resourceVersion,\n      annotations",
        put: "      annotations",
      },
    ],
    caughtBy: [named("test/conformance/kubernetes-secret-consumer.test.ts", "does not land after a later one")],
  },
  {
    name: "a key of a Secret taken from others without a look at what it holds",
    edits: [
      {
        file: "providers/consumers/kubernetes-secret/deliver.ts",
        find: "delivery.expected !== undefined && delivery.expected !== digest",
        put: "digest === undefined",
      },
    ],
    caughtBy: [named("providers/consumers/kubernetes-secret/trouble.test.ts", "puts its own value back")],
  },
  {
    name: "a pod that is being ended counts for nothing",
    edits: [
      {
        file: "providers/consumers/kubernetes-secret/instances.ts",
        find: "(pod) => !isOver(pod)),\n    (pod)",
        put: "(pod) => !isOver(pod) && pod.metadata.deletionTimestamp === undefined),\n    (pod)",
      },
    ],
    caughtBy: [named("providers/consumers/kubernetes-secret/instances.test.ts", "still being ended")],
  },
  {
    name: "a Secret that was changed after its delivery is believed",
    edits: [
      {
        file: "providers/consumers/kubernetes-secret/instances.ts",
        find: "claim === undefined || !isUntouched(secret, keysOf(target), consumer)",
        put: "claim === undefined",
      },
    ],
    caughtBy: [named("providers/consumers/kubernetes-secret/trouble.test.ts", "puts its own value back")],
  },
  {
    name: "a value that is moved is forgotten where it was before the ledger knows where it is",
    edits: [
      {
        file: "custody/move-value.ts",
        find: "  const isValue = value !== undefined;",
        put: "  const isValue = value !== undefined;\n  await at(from).forget(ref);",
      },
    ],
    caughtBy: [named("custody/move-value.test.ts", "can be read at every moment")],
  },
  {
    name: "a value is taken for moved where another one lies",
    edits: [{ file: "custody/move-value.ts", find: "  return isSame;", put: "  return isSame || kept.length > 0;" }],
    caughtBy: [named("custody/move-value.test.ts", "stops before another value")],
  },
  {
    name: "a move that wakes up late forgets a value that was moved back",
    edits: [
      {
        file: "ledger/custody-places.ts",
        find: "if (now.generation !== seen.generation) return false;",
        put: "if (now.generation < seen.generation) return false;",
      },
    ],
    caughtBy: [named("custody/move-value.test.ts", "wakes up after others")],
  },
  ...mintedSabotages,
  ...emergencySabotages,
];
