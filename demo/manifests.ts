import { stringify } from "yaml";
import { loginKeys } from "./login-file.ts";
import { loginPair, ownerRole, type OrdersCluster } from "./orders-cluster.ts";

const team = "shop";
const environment = "demo";

export const credentialName = `${team}/orders`;

/** Short enough to watch; an installation would keep the defaults of minutes. */
const policy = {
  grace: "500ms",
  disabledFor: "500ms",
  observeFor: "1s",
  lookEvery: "200ms",
  holdAfter: "3s",
  retryFirst: "200ms",
  answersInRow: 2,
};

/** What the shop's team and its operator would keep in version control. The admin's password lies in a file apart. */
export function manifestsFor(
  { admin, today }: OrdersCluster,
  files: { readonly service: string; readonly adminPassword: string },
): string {
  const metadata = (name: string) => ({ name, team, environment });
  const documents = [
    { kind: "Team", metadata: { name: team }, spec: {} },
    { kind: "Environment", metadata: { name: environment }, spec: {} },
    {
      kind: "Connection",
      metadata: metadata("orders-db"),
      spec: {
        kind: "postgres-role",
        config: { host: admin.host, port: admin.port, database: admin.database, user: admin.user },
        secretFrom: { file: files.adminPassword },
      },
    },
    {
      kind: "Credential",
      metadata: metadata("orders"),
      spec: {
        issuer: "postgres-role",
        connection: `${team}/orders-db`,
        config: { owner: ownerRole, logins: [...loginPair], database: today.database },
        policy,
      },
    },
    {
      kind: "Consumer",
      metadata: metadata("order-service"),
      spec: {
        credential: credentialName,
        kind: "file",
        config: {
          path: files.service,
          format: "dotenv",
          keys: { [loginKeys.user]: "username", [loginKeys.password]: "password" },
        },
        evidence: {
          sessions: { database: today.database, networks: ["127.0.0.1/32"], applicationName: "order-service" },
        },
      },
    },
  ];
  return documents.map((document) => stringify({ apiVersion: "rekey/v1", ...document })).join("---\n");
}
