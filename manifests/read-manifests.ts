import { nearestWord } from "../domain/nearest-word.ts";
import { findUnstorable } from "../domain/unstorable-text.ts";
import { checkFields } from "./check-fields.ts";
import {
  inReadingOrder,
  readDocuments,
  type ManifestDocument,
  type ManifestFile,
  type ManifestIssue,
} from "./documents.ts";
import { findPlainSecrets, plainSecretText } from "./plain-secrets.ts";
import { manifestKinds, manifestSchemas, type Manifest, type ManifestKind } from "./schemas.ts";

export interface ReadManifest {
  readonly manifest: Manifest;
  readonly document: ManifestDocument;
}

export interface ReadResult {
  readonly manifests: readonly ReadManifest[];
  readonly issues: readonly ManifestIssue[];
}

/** How people name what a manifest is about: `Credential shop/orders`. */
export function refOf({ kind, metadata }: Manifest): string {
  return "team" in metadata ? `${kind} ${metadata.team}/${metadata.name}` : `${kind} ${metadata.name}`;
}

/** Every manifest of the files, in the order in which they are applied, and every mistake that needs no ledger. */
export function readManifests(files: readonly ManifestFile[]): ReadResult {
  const read = files.map(readDocuments);
  const issues: ManifestIssue[] = read.flatMap((one) => one.issues);
  const manifests: ReadManifest[] = [];
  for (const document of read.flatMap(({ documents }) => documents)) {
    const result = readOne(document);
    if ("issues" in result) issues.push(...result.issues);
    else manifests.push(result);
  }
  issues.push(...findRepeated(manifests));
  const [first] = files;
  if (first !== undefined && manifests.length + issues.length === 0)
    issues.push({ file: first.name, line: 1, column: 1, field: "", text: emptyText });
  const placeOf = ({ manifest }: ReadManifest) => manifestKinds.indexOf(manifest.kind);
  return { manifests: manifests.toSorted((a, b) => placeOf(a) - placeOf(b)), issues: inReadingOrder(files, issues) };
}

const emptyText = `holds no manifest. One begins with apiVersion: rekey/v1 and kind: one of ${manifestKinds.join(", ")}.`;

const unstorableText = "holds a character that cannot be stored: a NUL, or half of a pair. Write the text without it.";

function readOne(document: ManifestDocument): ReadManifest | { readonly issues: readonly ManifestIssue[] } {
  const secrets = findPlainSecrets(document.content);
  if (secrets.length > 0) return { issues: secrets.map((path) => document.issue(path, plainSecretText)) };
  const unstorable = findUnstorable(document.content);
  if (unstorable.length > 0)
    return { issues: unstorable.map(({ path, shown }) => document.issue(path, unstorableText, shown)) };
  const kind = kindOf(document);
  if (typeof kind === "object") return { issues: [kind] };
  const checked = checkFields<Manifest>(document, [], document.content, manifestSchemas[kind]);
  return checked.ok ? { manifest: checked.value, document } : { issues: checked.issues };
}

function kindOf(document: ManifestDocument): ManifestKind | ManifestIssue {
  const { content } = document;
  if (typeof content !== "object" || content === null || Array.isArray(content))
    return document.issue([], "must be a mapping with apiVersion, kind, metadata and spec.");
  const kind = (content as Readonly<Record<string, unknown>>)["kind"];
  const found = manifestKinds.find((one) => one === kind);
  if (found !== undefined) return found;
  const choices = manifestKinds.join(", ");
  if (typeof kind !== "string") return document.issue(["kind"], `is missing: write one of ${choices}.`);
  const nearest = nearestWord(kind, manifestKinds);
  return document.issue(
    ["kind"],
    nearest === undefined ? `must be one of ${choices}.` : `must be one of ${choices}; did you mean ${nearest}?`,
  );
}

function findRepeated(manifests: readonly ReadManifest[]): readonly ManifestIssue[] {
  const seen = new Map<string, ManifestDocument>();
  return manifests.flatMap(({ manifest, document }) => {
    const ref = identityOf(manifest);
    const first = seen.get(ref);
    if (first === undefined) {
      seen.set(ref, document);
      return [];
    }
    const { line } = first.issue(["metadata", "name"], "");
    return [
      document.issue(["metadata", "name"], `${refOf(manifest)} stands in ${first.file} line ${line} too; keep one.`),
    ];
  });
}

/** Consumers of two credentials may share a name. */
function identityOf(manifest: Manifest): string {
  return manifest.kind === "Consumer" ? `${refOf(manifest)} of ${manifest.spec.credential}` : refOf(manifest);
}
