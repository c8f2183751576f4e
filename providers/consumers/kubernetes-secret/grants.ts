import type { KubernetesSecretConfig } from "./config.ts";
import { rulesFor, yamlOf } from "./rights.ts";

/** A service account with the least rights for a registration, as YAML for `kubectl apply -f -`. */
export function grantsFor(config: KubernetesSecretConfig): string {
  const metadata = `metadata: { name: rekey-${config.secret}, namespace: ${JSON.stringify(config.namespace)} }`;
  return `apiVersion: v1
kind: ServiceAccount
${metadata}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
${metadata}
rules:
${rulesFor(config).map(yamlOf).join("\n")}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
${metadata}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: rekey-${config.secret} }
subjects: [{ kind: ServiceAccount, name: rekey-${config.secret}, namespace: ${JSON.stringify(config.namespace)} }]
`;
}
