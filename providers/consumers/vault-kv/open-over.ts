import type { ProviderContext } from "../../contract/context.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField, type Value } from "../../contract/value.ts";
import type { VaultSettings } from "../../systems/vault/connection.ts";
import { sides } from "../../systems/vault/side.ts";
import { openVault, type Vault } from "../../systems/vault/vault.ts";

/** The Vault behind a connection, for one activity. */
export function openOver(settings: VaultSettings, admin: Value, { fetch }: ProviderContext): Vault {
  const secret = async () => Promise.resolve(new Secret(revealField(admin, "secret")));
  return openVault({ settings, secret, fetch, side: sides.target });
}
