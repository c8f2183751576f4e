import { readRuled } from "../ledger/policy-levels.ts";
import type { ManifestIssue } from "./documents.ts";
import type { Planning } from "./planning.ts";
import { policyTrouble } from "./policy.ts";
import type { ReadManifest } from "./read-manifests.ts";
import { refKey, type Transaction } from "./registry-snapshot.ts";

/** So many credentials are named; more would bury what they have in common. */
const mostNamed = 5;

/** What a place says of the policies of others, and where in its manifest. */
const rules = {
  Team: ["spec", "policy"],
  Environment: ["spec", "policy"],
  Policy: ["spec"],
} as const;

/**
 * Credentials that a changed team, environment or policy would make impossible to rotate, although nobody touches their own
 * manifests. What was impossible before is not laid at the change's door.
 */
export async function findNeverRun(
  trx: Transaction,
  { snapshot, asking }: Planning,
  manifests: readonly ReadManifest[],
): Promise<readonly ManifestIssue[]> {
  // A team that asks changes none of these.
  if (asking !== undefined) return [];
  const places = manifests.filter(({ manifest: { kind } }) => kind in rules);
  if (places.length === 0) return [];
  const named = (kind: keyof typeof rules) =>
    places.flatMap(({ manifest }) => (manifest.kind === kind ? [placeName(manifest)] : []));
  const given = new Set(
    manifests.flatMap(({ manifest }) => (manifest.kind === "Credential" ? [refKey(manifest.metadata)] : [])),
  );
  const ruled = await readRuled(trx, {
    teams: named("Team"),
    environments: named("Environment"),
    policies: named("Policy"),
  });
  const broken = ruled.flatMap((row) => {
    if (given.has(row.ref)) return [];
    const { own, team, environment, policyRef } = row;
    const policy = policyRef === null ? {} : (snapshot.policies.get(policyRef)?.policy ?? row.named ?? {});
    const now = [
      ...[own, policy, snapshot.teams.get(team)?.policy ?? row.teamPolicy],
      snapshot.environments.get(environment)?.policy ?? row.environmentPolicy,
    ];
    const trouble = policyTrouble(now);
    const before = policyTrouble([own, row.named ?? {}, row.teamPolicy, row.environmentPolicy]);
    return trouble === undefined || before !== undefined ? [] : [{ ...row, trouble }];
  });
  return places.flatMap(({ manifest, document }): readonly ManifestIssue[] => {
    const name = placeName(manifest);
    const isOf = { Team: "team", Environment: "environment", Policy: "policyRef" } as const;
    const { kind } = manifest;
    if (!(kind in isOf)) return [];
    const mine = broken.filter((row) => row[isOf[kind as keyof typeof isOf]] === name);
    const [first] = mine;
    if (first === undefined) return [];
    const refs = mine.slice(0, mostNamed).map(({ ref }) => ref);
    const more = mine.length > mostNamed ? ` and ${mine.length - mostNamed} more` : "";
    const text = `would let ${refs.join(", ")}${more} never run: ${first.trouble}. Change what those say first, or leave this as it is.`;
    return [document.issue(rules[kind as keyof typeof rules], text)];
  });
}

/** As others refer to it. */
function placeName({ kind, metadata }: ReadManifest["manifest"]): string {
  return kind === "Policy" ? refKey(metadata) : metadata.name;
}
