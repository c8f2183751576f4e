import { crash, named, type Sabotage } from "./sabotage.ts";

/** At issuers that make the value themselves, and where their values rest and go. */
export const mintedSabotages: readonly Sabotage[] = [
  {
    name: "minted again without a look at what the attempt before has left, by the issuers",
    edits: [
      {
        file: "providers/issuers/aws-iam-access-key/effects.ts",
        find: "[...found].filter((id) => !keep.includes(id))",
        put: '[...found].filter((id) => id === "")',
      },
      {
        file: "providers/issuers/vault-approle-secret-id/effects.ts",
        find: "  for (const { accessor } of leftovers) await destroy(scope, accessor);\n",
        put: "",
      },
      // Two more that would end what was left: once the new one is there, and once its value is safe.
      {
        file: "providers/issuers/vault-approle-secret-id/effects.ts",
        find: "  for (const other of made) if (other !== own) await destroy(scope, other.accessor);\n",
        put: "",
      },
      {
        file: "activities/leftovers.ts",
        find: "  if (left.length === 0) return;",
        put: "  if (left.length >= 0) return;",
      },
    ],
    caughtBy: [
      crash("aws/issue:B2"),
      crash("vault/issue:B2"),
      named("test/conformance/aws-iam-access-key.test.ts", "a lost answer, repeated, makes no second version"),
      named("test/conformance/vault-approle-secret-id.test.ts", "a lost answer, repeated, makes no second version"),
    ],
  },
  {
    name: "minted again without a look at what custody has, by the step",
    edits: [
      {
        file: "activities/minted-value.ts",
        find: "  if (kept !== undefined && recorded !== undefined && nameOf(kept) === recorded)",
        put: "  if (kept === undefined && recorded !== undefined && nameOf(kept) === recorded)",
      },
    ],
    caughtBy: [
      crash("aws/issue:B3"),
      crash("vault/issue:B3"),
      named("test/faults/minted-issue.test.ts", "after custody has the value is taken up by the next"),
    ],
  },
  {
    name: "the oldest is ended to make room",
    edits: [
      {
        file: "providers/issuers/aws-iam-access-key/effects.ts",
        find: "[...found].filter((id) => !keep.includes(id))",
        put: "seen.keys.length < slots ? [] : [seen.keys.toSorted((a, b) => a.createdAtMs - b.createdAtMs)[0]!.id]",
      },
      {
        file: "providers/issuers/vault-approle-secret-id/effects.ts",
        find: "const leftovers = all.filter(isOf(operationKey, scope));",
        put: "const byAge = all.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt));\n  const leftovers = all.length < mostLive ? [] : byAge.slice(0, 1);",
      },
      // What the ledger counts on is not among what an operation has left: either alone still refuses.
      {
        file: "providers/issuers/vault-approle-secret-id/effects.ts",
        find: "if (kept.has(accessor) || (mark !== undefined && compareClaims(mark.claim, claim) >= 0))",
        put: "if (mark !== undefined && compareClaims(mark.claim, claim) >= 0)",
      },
    ],
    caughtBy: [
      crash("aws/issue:B2"),
      crash("vault/issue:B2"),
      named("test/conformance/aws-iam-access-key.test.ts", "never the oldest"),
      named("test/conformance/vault-approle-secret-id.test.ts", "a minted repeat ends only its own leftover"),
    ],
  },
  {
    name: "a lost answer is taken for a failure, by the undo",
    edits: [
      {
        file: "activities/undo-candidate.ts",
        find: "if (handle === undefined && !isMinted(deps, one)) return",
        put: "if (handle === undefined) return",
      },
      // The proof asks for the list, and has abandoned what it shows: either alone still ends it.
      {
        file: "activities/undo-minted.ts",
        find: "    if (left.length > 0) return leftGap(left);\n",
        put: "",
      },
    ],
    caughtBy: [
      crash("aws/abort-after-issue:B2"),
      crash("vault/abort-after-issue:B2"),
      named("test/faults/minted-issue.test.ts", "while its answer is on its way can be undone"),
    ],
  },
  {
    name: "a secret of AWS read without its stage",
    edits: [
      {
        file: "custody/aws-secret.ts",
        find: "new GetSecretValueCommand({ SecretId: place.name, VersionStage: current })",
        put: "new GetSecretValueCommand({ SecretId: place.name })",
      },
      {
        file: "providers/consumers/aws-secrets-manager/target.ts",
        find: "new GetSecretValueCommand({ SecretId: target.config.secret, VersionStage: current })",
        put: "new GetSecretValueCommand({ SecretId: target.config.secret })",
      },
    ],
    caughtBy: [
      crash("aws/deliver:B2"),
      named("custody/aws-trouble.test.ts", "a version without our stage is not read"),
      named("providers/consumers/aws-secrets-manager/trouble.test.ts", "brings the previous version back"),
      named("test/conformance/aws-secrets-manager-consumer.test.ts", "13 it holds exactly the value and no other"),
    ],
  },
  {
    name: "no control beside a refusal",
    edits: [
      {
        file: "providers/issuers/aws-iam-access-key/probe.ts",
        find: "if (answer !== unknownKey) return unknown(answer);",
        put: 'return { verdict: "refused", code: unknownKey, controls };',
      },
      {
        file: "providers/issuers/vault-approle-secret-id/probe.ts",
        find: "if (answer !== endedCode) return unknown(answer, lockedOut);",
        put: 'return { verdict: "refused", code: endedCode, controls };',
      },
    ],
    caughtBy: [
      crash("aws/prove:B1"),
      crash("vault/prove:B1"),
      crash("aws/undo-prove-refused:B1"),
      named("test/conformance/aws-iam-access-key.test.ts", "a refusal without a live control is unknown"),
      named("test/conformance/vault-approle-secret-id.test.ts", "a refusal without a live control is unknown"),
    ],
  },
];
