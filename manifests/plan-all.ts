import { inReadingOrder, type ManifestIssue } from "./documents.ts";
import { findNeverRun } from "./never-run.ts";
import { metadataOf, withMetadata } from "./object-metadata.ts";
import { planConnection } from "./plan-connection.ts";
import { planConsumer } from "./plan-consumer.ts";
import { planCredential } from "./plan-credential.ts";
import { planEnvironment, planTeam } from "./plan-places.ts";
import { planNotice } from "./plan-notice.ts";
import { planPolicy } from "./plan-policy.ts";
import type { GivenSecret, Planned, PlannedItem, Planning } from "./planning.ts";
import { refOf, type ReadManifest } from "./read-manifests.ts";
import { readSnapshot, type AskingTeam, type Transaction } from "./registry-snapshot.ts";
import { findSharedKeys } from "./shared-keys.ts";

export type PlanDeps = Pick<Planning, "catalog" | "secrets" | "custody">;

/** A file by its name, with the secrets that were sent for its documents. */
export interface PlannedFile {
  readonly name: string;
  readonly secrets?: Readonly<Record<number, GivenSecret>>;
}

export type PlannedAll =
  | { readonly items: readonly PlannedItem[]; readonly planning: Planning }
  | { readonly issues: readonly ManifestIssue[] };

/** Plans manifests against the ledger as it is. With `asking`, as far as that team may know it. */
export async function planAll(
  trx: Transaction,
  deps: PlanDeps,
  manifests: readonly ReadManifest[],
  { files, asking }: { readonly files: readonly PlannedFile[]; readonly asking?: AskingTeam | undefined },
): Promise<PlannedAll> {
  const snapshot = await readSnapshot(
    trx,
    manifests.map(({ manifest }) => manifest),
    asking,
  );
  const byFile = new Map(files.map((file) => [file.name, file]));
  const broken = new Set<string>();
  const planning: Planning = {
    ...deps,
    snapshot,
    asking,
    written: [],
    broken,
    givenFor: ({ file, index }) => byFile.get(file)?.secrets?.[index],
  };
  // In this order, so that what others refer to is known to be broken before they are looked at.
  const planned = manifests.map((one) => {
    const found = planOne(planning, one);
    if (!("issues" in found)) return describe(found, one, planning);
    broken.add(refOf(one.manifest));
    return found;
  });
  const issues = [
    ...planned.flatMap((one) => ("issues" in one ? one.issues : [])),
    ...(await findSharedKeys(trx, deps.catalog, planning.written, asking)),
    ...(await findNeverRun(trx, planning, manifests)),
  ];
  return issues.length > 0
    ? { issues: inReadingOrder(files, issues) }
    : { items: planned.flatMap((one) => ("issues" in one ? [] : [one])), planning };
}

function planOne(planning: Planning, { manifest, document }: ReadManifest): Planned {
  switch (manifest.kind) {
    case "Team":
      return planTeam(planning, manifest, document);
    case "Environment":
      return planEnvironment(planning, manifest, document);
    case "Policy":
      return planPolicy(planning, manifest, document);
    case "Connection":
      return planConnection(planning, manifest, document);
    case "Credential":
      return planCredential(planning, manifest, document);
    case "Consumer":
      return planConsumer(planning, manifest, document);
    case "Notice":
      return planNotice(planning, manifest, document);
  }
}

const describe = (item: PlannedItem, { manifest: { metadata } }: ReadManifest, { snapshot }: Planning): PlannedItem =>
  withMetadata(item, snapshot.metadata.get(item.id), metadataOf(metadata));
