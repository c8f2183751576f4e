import type { ProposalView } from "../ledger/proposal-views.ts";
import type { Catalog } from "../providers/catalog.ts";
import type { ManifestOf } from "./schemas.ts";
import { writeManifest } from "./write-manifest.ts";

/** No kind has this name, so that nothing is registered that nobody has read. */
const placeholder = "CHANGE-ME";

type Seen = Pick<
  ProposalView,
  "credential" | "team" | "environment" | "principal" | "database" | "address" | "applicationName"
>;

/** The manifest that would register who was seen, with all that the issuer told of it; where its value goes is left open. */
export function proposedConsumer(catalog: Catalog, seen: Seen): string {
  const { credential, team, environment, principal, database, address, applicationName } = seen;
  const session = { principal, database, address, applicationName, startedAt: new Date(0).toISOString() };
  const match = Object.values(catalog.collectors).flatMap((one) =>
    one.match === undefined ? [] : [[one.kind, one.match(session)] as const],
  );
  const manifest: ManifestOf<"Consumer"> = {
    apiVersion: "rekey/v1",
    kind: "Consumer",
    metadata: { name: nameFrom(seen), team, environment },
    spec: { credential, kind: placeholder, config: {}, evidence: Object.fromEntries(match) },
  };
  return writeManifest(manifest, [
    `${placeholder}: where it reads its value, with the config of that kind. Kinds: ${Object.keys(catalog.consumers).join(", ")}.`,
    "The team is the credential's own: put the consumer's there. The match under evidence explains whoever comes from",
    "there, and each of those has to move before an old version may end: see that it is meant so.",
  ]);
}

/** What it calls itself, as far as that is a name; else where it comes from. */
function nameFrom({ applicationName, address }: Seen): string {
  const own = slug(applicationName);
  return own === "" ? `from-${slug(address)}` : own;
}

const slug = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 48)
    .replaceAll(/^-+|-+$/g, "");
