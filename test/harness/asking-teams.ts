import type { Catalog } from "../../providers/catalog.ts";
import { platform } from "../../providers/evidence/platform/definition.ts";
import { register } from "./api-rows.ts";
import type { TestAnswer, TestApi } from "./api.ts";
import { fakeCatalog } from "./fake-catalog.ts";
import { fakeSecret } from "./fake-cluster.ts";

/** The fake catalog with a consumer that is reached over a connection, which says what each team may use. */
export const clusteredCatalog: Catalog = {
  ...fakeCatalog,
  consumers: { ...fakeCatalog.consumers, [fakeSecret.kind]: fakeSecret },
  collectors: { ...fakeCatalog.collectors, [platform.kind]: platform },
};

/** A connection of a team of its own, with the spaces of each team: `{ alder: [web] }`. */
const clusterOf = (spaces: string, name = "cluster") => `apiVersion: rekey/v1
kind: Team
metadata: { name: platform }
spec: {}
---
apiVersion: rekey/v1
kind: Connection
metadata: { name: ${name}, team: platform, environment: prod }
spec: { kind: fake-cluster, config: { folder: /srv/cluster, spaces: ${spaces} } }
`;

export interface Asked {
  readonly name?: string;
  readonly team?: string;
  readonly credential?: string;
  readonly connection?: string;
  readonly space?: string;
  readonly secret?: string;
  readonly evidence?: string;
}

/** A consumer as a team asks for it. */
export const askedFor = ({
  name = "pods",
  team = "alder",
  credential = "orders",
  connection = "platform/cluster",
  space = "web",
  secret = "orders",
  evidence = "",
}: Asked = {}) => `apiVersion: rekey/v1
kind: Consumer
metadata: { name: ${name}, team: ${team} }
spec:
  credential: ${credential}
  kind: fake-secret
  connection: ${connection}
  config: { space: ${space}, secret: ${secret}, keys: { DB_PASSWORD: password } }
${evidence === "" ? "" : `  evidence: ${evidence}\n`}`;

/** A consumer whose kind is reached without a connection. */
export const placeAskedFor = (path: string, name = "place", team = "alder") => `apiVersion: rekey/v1
kind: Consumer
metadata: { name: ${name}, team: ${team} }
spec: { credential: orders, kind: fake-place, config: { path: ${path}, keys: { DB_PASSWORD: password } } }
`;

export const ask = (api: TestApi, text: string, dryRun = false): Promise<TestAnswer> =>
  api.ask("POST", "/consumers", { files: [{ name: "asked.yaml", text }], dryRun });

export interface Grant {
  readonly id: string;
  readonly digest: string;
}

/** Asks for one consumer, and answers with the grant that waits. */
export async function grantFor(api: TestApi, text: string): Promise<Grant> {
  const { status, text: said, json } = await ask(api, text);
  const [item] = (json["items"] ?? []) as readonly { grant: { id: string } | null; digest: string }[];
  if (status !== 200 || item?.grant === null || item === undefined) throw new Error(said);
  return { id: item.grant.id, digest: item.digest };
}

export const approve = (api: TestApi, { id, digest }: Grant): Promise<TestAnswer> =>
  api.ask("POST", `/grants/${id}/approve`, { digest });

/** The cluster, with what each team may use there. */
export const allow = (api: TestApi, spaces: string): Promise<void> => register(api, clusterOf(spaces));

/** Manifests of a consumer that names it: what a team's token asks for is planned against what others have too. */
export const manifestsWith = (word: string) =>
  [
    { credential: word },
    { team: word },
    { name: word },
    { connection: word },
    { connection: `platform/${word}` },
    { secret: word },
    { space: word },
  ].map((asks) => ({ files: [{ name: "asked.yaml", text: askedFor(asks) }], dryRun: true }));
