import type { ConnectionKind } from "./contract/connection.ts";
import type { ConsumerDefinition } from "./contract/consumer.ts";
import type { EvidenceDefinition } from "./contract/evidence.ts";
import type { IssuerDefinition } from "./contract/issuer.ts";
import { awsSecretsManager } from "./consumers/aws-secrets-manager/definition.ts";
import { exec } from "./consumers/exec/definition.ts";
import { file } from "./consumers/file/definition.ts";
import { kubernetesSecret } from "./consumers/kubernetes-secret/definition.ts";
import { vaultKv } from "./consumers/vault-kv/definition.ts";
import { webhook } from "./consumers/webhook/definition.ts";
import { challenge } from "./evidence/challenge/definition.ts";
import { platform } from "./evidence/platform/definition.ts";
import { sessions } from "./evidence/sessions/definition.ts";
import { awsIamAccessKey } from "./issuers/aws-iam-access-key/definition.ts";
import { postgresRole } from "./issuers/postgres-role/definition.ts";
import { vaultApproleSecretId } from "./issuers/vault-approle-secret-id/definition.ts";

/** Everything of a kind, by its name. Nothing else in the program names one. */
export interface Catalog {
  readonly issuers: Readonly<Record<string, IssuerDefinition>>;
  readonly consumers: Readonly<Record<string, ConsumerDefinition>>;
  readonly collectors: Readonly<Record<string, EvidenceDefinition>>;
}

const byKind = <T extends { readonly kind: string }>(definitions: readonly T[]): Readonly<Record<string, T>> =>
  Object.fromEntries(definitions.map((definition) => [definition.kind, definition]));

export const catalog: Catalog = {
  issuers: byKind<IssuerDefinition>([postgresRole, vaultApproleSecretId, awsIamAccessKey]),
  consumers: byKind<ConsumerDefinition>([file, exec, kubernetesSecret, vaultKv, awsSecretsManager, webhook]),
  collectors: byKind<EvidenceDefinition>([sessions, platform, challenge]),
};

export { noticeSecrets } from "./systems/webhooks/send-notice.ts";

/** Every kind of connection by its name: each issuer's own, and those over which consumers are reached. */
export function connectionKindsOf({ issuers, consumers }: Catalog): Readonly<Record<string, ConnectionKind>> {
  return byKind<ConnectionKind>([
    ...Object.values(issuers),
    ...Object.values(consumers).flatMap(({ connectionKind }) => connectionKind ?? []),
  ]);
}
