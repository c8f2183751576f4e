import type { Right } from "../../systems/vault/rights.ts";
import type { CredentialConfig } from "./config.ts";
import { rolePath } from "./scope.ts";

export const rights = {
  readRole: (config: CredentialConfig): Right => ({ path: rolePath(config), capabilities: ["read"] }),
  readRoleId: (config: CredentialConfig): Right => ({ path: `${rolePath(config)}/role-id`, capabilities: ["read"] }),
  mint: (config: CredentialConfig): Right => ({ path: `${rolePath(config)}/secret-id`, capabilities: ["update"] }),
  listAccessors: (config: CredentialConfig): Right => ({
    path: `${rolePath(config)}/secret-id`,
    capabilities: ["list"],
  }),
  lookUp: (config: CredentialConfig): Right => ({
    path: `${rolePath(config)}/secret-id-accessor/lookup`,
    capabilities: ["update"],
  }),
  lookUpSecretId: (config: CredentialConfig): Right => ({
    path: `${rolePath(config)}/secret-id/lookup`,
    capabilities: ["update"],
  }),
  destroy: (config: CredentialConfig): Right => ({
    path: `${rolePath(config)}/secret-id-accessor/destroy`,
    capabilities: ["update"],
  }),
  // Vault tells the tokens of one role only among all: https://developer.hashicorp.com/vault/api-docs/auth/token#list-accessors
  listTokens: (): Right => ({ path: "auth/token/accessors", capabilities: ["list", "sudo"] }),
  lookUpToken: (): Right => ({ path: "auth/token/lookup-accessor", capabilities: ["update"] }),
  revokeToken: (): Right => ({ path: "auth/token/revoke-accessor", capabilities: ["update"] }),
} as const;

/** The least that a credential needs. */
export const rightsFor = (config: CredentialConfig): readonly Right[] => [
  rights.readRole(config),
  rights.readRoleId(config),
  { path: `${rolePath(config)}/secret-id`, capabilities: ["update", "list"] },
  rights.lookUp(config),
  rights.lookUpSecretId(config),
  rights.destroy(config),
  rights.listTokens(),
  rights.lookUpToken(),
  rights.revokeToken(),
];
