import { nearestWord } from "../domain/nearest-word.ts";
import type { Registering } from "../ledger/registry.ts";
import type { Catalog } from "../providers/catalog.ts";
import type { FieldDeclarations } from "../providers/contract/value.ts";
import type { Secret } from "../providers/contract/secret.ts";
import type { FieldChange } from "./changes.ts";
import type { FieldPath, ManifestDocument, ManifestIssue } from "./documents.ts";
import type { AskingTeam, RegistrySnapshot, Transaction } from "./registry-snapshot.ts";
import type { WrittenConsumer } from "./shared-keys.ts";
import type { ManifestKind } from "./schemas.ts";

/** A connection's secret as the command line sent it: the one field, or each by its name. */
export type GivenSecret = Secret<string> | Readonly<Record<string, Secret<string>>>;

export interface SecretPlace {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly settings: unknown;
  readonly pool: string;
  readonly secret_row: string;
  readonly secret_revision: number;
}

/** What planning and applying need of custody, without seeing a value. */
export interface ConnectionSecrets {
  /** What is wrong with it, in words that continue "secretFrom"; undefined when it will do. */
  refusal(fields: FieldDeclarations, given: GivenSecret): string | undefined;
  fingerprint(fields: FieldDeclarations, given: GivenSecret): string;
  isSame(fields: FieldDeclarations, given: GivenSecret, fingerprint: string): boolean;
  put(place: SecretPlace, fields: FieldDeclarations, given: GivenSecret): Promise<void>;
  forget(place: SecretPlace): Promise<void>;
}

export interface PlannedItem {
  readonly id: string;
  readonly kind: ManifestKind;
  /** `Credential shop/orders` */
  readonly ref: string;
  readonly action: "create" | "change" | "unchanged";
  readonly changes: readonly FieldChange[];
  /** What a person should know before saying yes. */
  readonly notes: readonly string[];
  readonly store: (trx: Transaction, by: Registering) => Promise<void>;
  /** Once that is committed: what nobody can reach any more. */
  readonly tidy?: () => Promise<void>;
}

/** Where values can rest. */
export interface CustodyChoice {
  /** The places that this process can reach. */
  readonly places: readonly string[];
  /** That of a new credential whose manifest says nothing. */
  readonly usual: string;
}

/** What is known while the manifests are planned one after the other. Later ones see what earlier ones will make. */
export interface Planning {
  readonly catalog: Catalog;
  readonly secrets: ConnectionSecrets;
  readonly custody: CustodyChoice;
  readonly snapshot: RegistrySnapshot;
  /** A team asks for itself: what is others' is answered as what is not there. */
  readonly asking?: AskingTeam | undefined;
  /** The consumers planned so far that are new or changed. */
  readonly written: WrittenConsumer[];
  /** Those in the same files with mistakes of their own, by `refOf`: whatever refers to one waits until they are mended. */
  readonly broken: ReadonlySet<string>;
  /** The secret that was sent for a document. */
  readonly givenFor: (document: ManifestDocument) => GivenSecret | undefined;
}

export type Planned = PlannedItem | { readonly issues: readonly ManifestIssue[] };

/** Collects the mistakes of one manifest. */
export interface Issues {
  readonly all: ManifestIssue[];
  add(path: FieldPath, text: string, shown?: FieldPath): void;
}

export function issuesOf(document: ManifestDocument): Issues {
  const all: ManifestIssue[] = [];
  return { all, add: (path, text, shown) => void all.push(document.issue(path, text, shown)) };
}

/** The definition of a kind; its absence is said with the kinds that exist. */
export function definitionOf<T>(
  table: Readonly<Record<string, T>>,
  kind: string,
  path: FieldPath,
  issues: Issues,
): T | undefined {
  const kinds = Object.keys(table);
  const definition = kinds.includes(kind) ? table[kind] : undefined;
  if (definition === undefined) {
    const nearest = nearestWord(kind, kinds);
    const hint = nearest === undefined ? "." : `; did you mean ${nearest}?`;
    issues.add(path, `must be one of ${kinds.join(", ")}${hint}`);
  }
  return definition;
}

/** Another object of the same files or the ledger that a manifest names; its absence is said once. */
export function referred<T>(
  { broken }: Planning,
  kind: ManifestKind,
  table: ReadonlyMap<string, T>,
  key: string,
  onAbsence: () => void,
): T | undefined {
  if (broken.has(`${kind} ${key}`)) return undefined;
  const found = table.get(key);
  if (found === undefined) onAbsence();
  return found;
}

/** Team and environment of a manifest, which must be there or come in the same files. */
export function placeIds(
  { snapshot }: Planning,
  metadata: { readonly team: string; readonly environment: string },
  issues: Issues,
): { readonly teamId: string; readonly environmentId: string } {
  const environment = snapshot.environments.get(metadata.environment);
  if (environment === undefined)
    issues.add(["metadata", "environment"], "names no environment that exists; add an Environment manifest for it.");
  return { teamId: teamId(snapshot, metadata.team, issues), environmentId: environment?.id ?? "" };
}

export function teamId({ teams }: RegistrySnapshot, name: string, issues: Issues): string {
  const team = teams.get(name);
  if (team === undefined) issues.add(["metadata", "team"], "names no team that exists; add a Team manifest for it.");
  return team?.id ?? "";
}
