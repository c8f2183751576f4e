import type { RequestWay } from "../../contract/context.ts";
import type { Secret } from "../../contract/secret.ts";
import type { Admin } from "./admin.ts";
import { isOverlap, type ConnectionConfig, type CredentialConfig } from "./config.ts";
import type { Owner } from "./mark.ts";

/** What every call of one session works with. */
export interface Scope extends RequestWay {
  readonly connection: ConnectionConfig;
  readonly config: CredentialConfig;
  readonly owner: Owner;
  readonly admin: Admin;
  readonly adminPassword: Secret<string>;
}

export const isPair = ({ config }: Scope): boolean => isOverlap(config);
