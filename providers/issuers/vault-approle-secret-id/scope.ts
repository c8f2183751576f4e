import type { Vault } from "../../systems/vault/vault.ts";
import type { CredentialConfig } from "./config.ts";

/** One credential at one Vault, for one activity. */
export interface Scope {
  readonly vault: Vault;
  readonly signal: AbortSignal;
  readonly config: CredentialConfig;
  readonly instance: string;
  readonly credential: string;
}

export const rolePath = ({ mount, role }: CredentialConfig): string => `auth/${mount}/role/${role}`;
export const loginPath = ({ mount }: CredentialConfig): string => `auth/${mount}/login`;
