import { stringify } from "yaml";
import type { StoredEvidence } from "../ledger/registry-views.ts";

/** The lines of a consumer's manifest with this evidence added to what it has; what is added is to be corrected first. */
export function evidenceSnippet(
  { wanted, collectors }: StoredEvidence,
  added: Readonly<Record<string, unknown>>,
): string {
  const evidence = { ...(wanted === undefined ? {} : { wanted }), ...collectors, ...added };
  return stringify({ spec: { evidence } }, { version: "1.2", lineWidth: 0, aliasDuplicateObjects: false });
}
