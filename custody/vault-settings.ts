import { isAbsolute } from "node:path";
import { z } from "zod";
import { pathSchema, vaultShape, type VaultSettings } from "../providers/systems/vault/connection.ts";

/** A place of kind `vault`: a folder of one KV engine. */
export interface VaultCustodySettings extends VaultSettings {
  readonly secretFile: string;
  readonly mount: string;
  readonly prefix: string;
}

export const vaultCustodySettings: z.ZodType<VaultCustodySettings> = z.strictObject({
  ...vaultShape,
  secretFile: z.string().refine(isAbsolute, "must be an absolute path"),
  mount: pathSchema("where the engine is mounted").default("secret"),
  prefix: pathSchema("a path").default("rekey"),
});
