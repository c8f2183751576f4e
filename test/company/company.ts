import { readdirSync, readFileSync } from "node:fs";
import type { Manifest, ManifestKind, ManifestOf } from "../../manifests/schemas.ts";
import { readManifests } from "../../manifests/read-manifests.ts";

/** The manifests of the company that `examples/company` shows. */
export const folder = new URL("../../examples/company/manifests/", import.meta.url);

const names = readdirSync(folder).toSorted();

export interface CompanyFile {
  readonly name: string;
  readonly text: string;
}

export const files: readonly CompanyFile[] = names.map((name) => ({
  name,
  text: readFileSync(new URL(name, folder), "utf8"),
}));

const secretFrom = /secretFrom: \{[^}]*\}/g;

/** As the command line sends them, once it has read the secrets. */
export const sent: readonly CompanyFile[] = files.map(({ name, text }) => ({
  name,
  text: text.replace(secretFrom, "secretFrom: given"),
}));

const { manifests: read, issues } = readManifests([...sent]);
if (issues.length > 0) throw new Error(JSON.stringify(issues, undefined, 2));

export const manifests: readonly Manifest[] = read.map(({ manifest }) => manifest);

export function ofKind<K extends ManifestKind>(kind: K): readonly ManifestOf<K>[] {
  return manifests.filter((one): one is Manifest & ManifestOf<K> => one.kind === kind);
}
