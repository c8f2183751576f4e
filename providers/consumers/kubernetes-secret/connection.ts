import { z } from "zod";
import { isAuthority, isHttpsOrigin } from "../../contract/https-origin.ts";
import type { ConnectionKind } from "../../contract/connection.ts";

/** How a cluster's API server is reached. */
export interface KubernetesConnection {
  readonly server: string;
  readonly ca: string;
  readonly namespaces: Readonly<Record<string, readonly string[]>>;
}

/** What Kubernetes lets a namespace, a Secret's key owner or a workload be called; nothing else can get into a path. */
export const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
export const dnsName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;

const connectionSchema: z.ZodType<KubernetesConnection> = z.strictObject({
  server: z
    .string()
    .max(512)
    .refine(isHttpsOrigin, "must be https://HOST:PORT, without a path, a user or a question mark")
    .describe("The API server: `https://HOST:PORT`"),
  ca: z
    .string()
    .max(65_536)
    .refine(
      isAuthority,
      "must be the cluster's certificate authority as PEM, beginning with -----BEGIN CERTIFICATE-----",
    )
    .describe("The cluster's authority as PEM, the only one that is trusted there"),
  namespaces: z
    .record(z.string().min(1), z.array(z.string().regex(dnsLabel, "must be the name of a namespace")).min(1))
    .describe("In which namespaces each team may register Secrets, by the team's name"),
});

/** One service account of one cluster. */
export const kubernetes: ConnectionKind<KubernetesConnection> = {
  kind: "kubernetes",
  connectionSchema,
  adminFields: { token: { secret: true, title: "Bearer token of the service account" } },
  adminPrincipalOf: () => "",
};
