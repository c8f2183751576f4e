import type { GivenPolicy } from "../domain/policy.ts";
import { noticeEventNames } from "../domain/notice.ts";
import type { Ledger } from "../ledger/database.ts";
import type { NoticeRow } from "../ledger/notice-rows.ts";
import { listRegistered, type Registered } from "../ledger/registry-list.ts";
import type { ConnectionRow, ConsumerRow, CredentialRow, PolicyRow } from "../ledger/registry-views.ts";
import { connectionKindsOf, type Catalog } from "../providers/catalog.ts";
import { noMetadata } from "../ledger/object-metadata.ts";
import { sayCustody } from "./credential-custody.ts";
import { showDuration } from "./duration.ts";
import { inventoryOf } from "./inventory.ts";
import { isNamed } from "./kind-named.ts";
import { usualBothMs } from "./notice-fields.ts";
import { showMetadata } from "./object-metadata.ts";
import { showPolicy } from "./policy.ts";
import { refOf } from "./read-manifests.ts";
import { refKey } from "./registry-snapshot.ts";
import { manifestKinds, type Manifest, type ManifestKind, type ManifestOf } from "./schemas.ts";
import { writeManifest } from "./write-manifest.ts";

export interface Exported {
  readonly kind: ManifestKind;
  /** `Credential shop/orders` */
  readonly ref: string;
  /** One YAML document. */
  readonly text: string;
}

interface ExportQuery {
  readonly kind?: ManifestKind | undefined;
  /** `name` or `team/name` */
  readonly name?: string | undefined;
}

const apiVersion = "rekey/v1";

/**
 * What is registered, as the manifests that would register it: in the order in which they are applied, then by name.
 * Applied to the same ledger they change nothing. No secret is among them: custody has those, and the ledger no source.
 */
export async function exportManifests(
  { ledger, catalog }: { readonly ledger: Ledger; readonly catalog: Catalog },
  { kind, name }: ExportQuery = {},
): Promise<readonly Exported[]> {
  const registered = await listRegistered(ledger);
  return manifestKinds
    .filter((one) => kind === undefined || one === kind)
    .flatMap((one) => manifestsOf[one](registered, catalog))
    .filter(({ manifest }) => name === undefined || isNamed(name, manifest.metadata))
    .map(({ id, manifest, remarks }) => {
      const metadata = { ...manifest.metadata, ...showMetadata(registered.metadata.get(id) ?? noMetadata) };
      const text = writeManifest({ ...manifest, metadata } as Manifest, remarks);
      return { kind: manifest.kind, ref: refOf(manifest), text };
    })
    .map((one) => ({ one, order: `${manifestKinds.indexOf(one.kind)} ${one.ref} ${one.text}` }))
    .toSorted((a, b) => (a.order < b.order ? -1 : 1))
    .map(({ one }) => one);
}

interface Written {
  readonly id: string;
  readonly manifest: Manifest;
  readonly remarks?: readonly string[];
}

const manifestsOf: Readonly<Record<ManifestKind, (from: Registered, catalog: Catalog) => readonly Written[]>> = {
  Team: ({ teams }) =>
    teams.map(({ id, name, contact, policy, maxConcurrent }) => {
      const spec = { ...(contact === "" ? {} : { contact }), ...sayPolicy(policy), ...sayCap(maxConcurrent) };
      return { id, manifest: { apiVersion, kind: "Team", metadata: { name }, ...orNothing(spec) } };
    }),
  Environment: ({ environments }) =>
    environments.map(({ id, name, policy, maxConcurrent }) => ({
      id,
      manifest: {
        apiVersion,
        kind: "Environment",
        metadata: { name },
        ...orNothing({ ...sayPolicy(policy), ...sayCap(maxConcurrent) }),
      } as Manifest,
    })),
  Policy: ({ policies }) => policies.map((row) => ({ id: row.id, manifest: policyManifest(row) })),
  Connection: ({ connections }, catalog) => {
    const kinds = connectionKindsOf(catalog);
    return connections.map((row) => ({
      id: row.id,
      manifest: connectionManifest(row, kinds[row.kind]),
      remarks: secretRemarks(row, kinds[row.kind]),
    }));
  },
  Credential: ({ credentials }, { issuers }) =>
    credentials.map((row) => ({ id: row.id, manifest: credentialManifest(row, issuers[row.kind]) })),
  Consumer: ({ consumers, credentials }, { consumers: kinds }) => {
    const byId = new Map(credentials.map((row) => [row.id, row]));
    return consumers.flatMap((row) => {
      const credential = byId.get(row.credentialId);
      return credential === undefined
        ? []
        : [{ id: row.id, manifest: consumerManifest(row, credential, kinds[row.kind]) }];
    });
  },
  Notice: ({ notices }) =>
    notices.map((row) => ({
      id: row.id,
      manifest: noticeManifest(row),
      remarks: sayRemarks(row.secret !== null, ["secret"]),
    })),
};

function noticeManifest({ team, name, settings, events, isOfAll, signBothForMs }: NoticeRow): ManifestOf<"Notice"> {
  const isEach = events.length === noticeEventNames.length;
  const spec = {
    ...settings,
    ...(isEach ? {} : { events: [...events] }),
    ...(isOfAll ? { of: "all" } : {}),
    ...(signBothForMs === usualBothMs ? {} : { signBothFor: showDuration(signBothForMs) }),
  };
  return { apiVersion, kind: "Notice", metadata: { name, team }, spec } as unknown as ManifestOf<"Notice">;
}

const sayPolicy = (policy: GivenPolicy) => (Object.keys(policy).length === 0 ? {} : { policy: showPolicy(policy) });
const sayCap = (maxConcurrent: number | null) => (maxConcurrent === null ? {} : { maxConcurrent });
const orNothing = (spec: object) => (Object.keys(spec).length === 0 ? {} : { spec });

type Issuer = Catalog["issuers"][string] | undefined;
type ConnectionKind = ReturnType<typeof connectionKindsOf>[string] | undefined;

function connectionManifest(row: ConnectionRow, definition: ConnectionKind): ManifestOf<"Connection"> {
  const { team, environment, name, kind, pool, settings, maxConcurrent, requestsPerSecond } = row;
  const config = inOrder(definition?.connectionSchema, settings);
  return {
    apiVersion,
    kind: "Connection",
    metadata: { name, team, environment },
    spec: {
      kind,
      pool,
      config,
      ...sayCap(maxConcurrent),
      ...(requestsPerSecond === null ? {} : { requestsPerSecond }),
    },
  };
}

function policyManifest({ team, name, policy }: PolicyRow): ManifestOf<"Policy"> {
  return {
    apiVersion,
    kind: "Policy",
    metadata: { name, team },
    spec: showPolicy(policy),
  };
}

function credentialManifest(row: CredentialRow, definition: Issuer): ManifestOf<"Credential"> {
  const { team, environment, name, kind: issuer, connection, policy, policyRef } = row;
  const config = inOrder(definition?.configSchema, row.config);
  const said = { ...inventoryOf(row.inventory), ...sayCustody(row.custody) };
  const ruling = policyRef === null ? sayPolicy(policy) : { policy: policyRef };
  const spec = { issuer, connection, config, ...ruling, ...said };
  return { apiVersion, kind: "Credential", metadata: { name, team, environment }, spec } as ManifestOf<"Credential">;
}

function consumerManifest(
  row: ConsumerRow,
  credential: CredentialRow,
  definition: Catalog["consumers"][string] | undefined,
): ManifestOf<"Consumer"> {
  const { team, name, kind, connection, evidence } = row;
  const { wanted, collectors } = evidence;
  const given = { ...(wanted === undefined ? {} : { wanted }), ...collectors };
  const config = inOrder(definition?.configSchema, row.config);
  const spec = {
    credential: refKey(credential),
    kind,
    ...(connection === null ? {} : { connection }),
    config,
    ...(Object.keys(given).length === 0 ? {} : { evidence: given }),
  };
  const metadata = { name, team, environment: credential.environment };
  return { apiVersion, kind: "Consumer", metadata, spec } as ManifestOf<"Consumer">;
}

type Fields = Readonly<Record<string, unknown>>;

interface Parser {
  safeParse(content: unknown): { readonly success: boolean; readonly data?: unknown };
}

/** The ledger keeps fields in an order of its own; the kind's schema has the one in which people write them. */
function inOrder(schema: Parser | undefined, fields: Fields): Record<string, unknown> {
  const parsed = schema?.safeParse(fields);
  return { ...(parsed?.success === true ? (parsed.data as Fields) : fields) };
}

const secretRemarks = ({ secretRow }: ConnectionRow, definition: ConnectionKind): readonly string[] =>
  sayRemarks(secretRow !== null, Object.keys(definition?.adminFields ?? {}));

function sayRemarks(hasSecret: boolean, [first = "password", ...others]: readonly string[]): readonly string[] {
  const source =
    others.length === 0
      ? "{ file: PATH }"
      : `{ ${[first, ...others].map((field) => `${field}: { file: PATH }`).join(", ")} }`;
  return [
    !hasSecret
      ? "It has no secret yet. To give it:"
      : "Its secret is in custody and is never exported. To give it to another installation, or to change it:",
    `secretFrom: ${source}`,
  ];
}
