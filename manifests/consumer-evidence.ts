import type { Strength } from "../domain/evidence.ts";
import { nearestWord } from "../domain/nearest-word.ts";
import type { StoredEvidence } from "../ledger/registry-views.ts";
import { checkFields } from "./check-fields.ts";
import type { ManifestDocument } from "./documents.ts";
import type { Issues, Planning } from "./planning.ts";

export function readEvidence(
  { catalog }: Planning,
  { wanted, ...given }: Readonly<Record<string, unknown>> & { readonly wanted?: Strength | undefined },
  document: ManifestDocument,
  issues: Issues,
): StoredEvidence {
  const kinds = Object.keys(catalog.collectors);
  const collectors: Record<string, unknown> = {};
  for (const [kind, content] of Object.entries(given)) {
    const definition = kinds.includes(kind) ? catalog.collectors[kind] : undefined;
    if (definition === undefined) {
      const nearest = nearestWord(kind, ["wanted", ...kinds]);
      const hint = nearest === undefined ? `Fields here: wanted, ${kinds.join(", ")}.` : `Did you mean ${nearest}?`;
      issues.add(["spec", "evidence", kind], `has a kind of evidence that does not exist. ${hint}`, [
        "spec",
        "evidence",
      ]);
      continue;
    }
    const config = checkFields(document, ["spec", "evidence", kind], content, definition.configSchema);
    if (config.ok) collectors[kind] = config.value;
    else issues.all.push(...config.issues);
  }
  return { ...(wanted === undefined ? {} : { wanted }), collectors };
}

/**
 * Evidence that asks the consumer's own platform needs no application changed and nothing declared: it is collected of
 * every consumer whose kind shows its instances, and can be asked of no other.
 */
export function withInstances(
  { catalog }: Planning,
  of: { readonly kind: string; readonly showsInstances: boolean },
  { collectors, ...others }: StoredEvidence,
  issues: Issues,
): StoredEvidence {
  const platforms = Object.values(catalog.collectors).filter(({ needsInstances }) => needsInstances);
  if (of.showsInstances)
    return {
      ...others,
      collectors: {
        ...Object.fromEntries(platforms.map(({ kind, configSchema }) => [kind, configSchema.parse({})])),
        ...collectors,
      },
    };
  for (const { kind } of platforms.filter((one) => one.kind in collectors))
    issues.add(
      ["spec", "evidence", kind],
      `asks which instances run, and a ${of.kind} with this config does not show them. Remove it, or register other evidence.`,
    );
  return { ...others, collectors };
}
