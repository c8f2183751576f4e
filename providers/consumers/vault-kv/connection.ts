import { z } from "zod";
import type { ConnectionKind } from "../../contract/connection.ts";
import { pathsSchema, vaultFields, vaultShape, type VaultSettings } from "../../systems/vault/connection.ts";
import { lookAround } from "../../systems/vault/look.ts";
import { openOver } from "./open-over.ts";

/** One login at one Vault, and what each team may have written there. */
export interface VaultConnection extends VaultSettings {
  readonly paths: Readonly<Record<string, readonly string[]>>;
}

const connectionSchema: z.ZodType<VaultConnection> = z.strictObject({
  ...vaultShape,
  paths: pathsSchema(
    "What each team may register, by the team's name: `MOUNT/PATH`, or the beginning of paths, ending with `/`",
  ),
});

export const vault: ConnectionKind<VaultConnection> = {
  kind: "vault",
  connectionSchema,
  adminFields: vaultFields,
  adminPrincipalOf: () => "",
  async look({ connection, admin }, context) {
    const opened = openOver(connection, admin, context);
    try {
      return await lookAround(opened, context.signal);
    } finally {
      await opened.close(context.signal);
    }
  },
};
