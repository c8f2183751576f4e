import { z } from "zod";
import { revealField, type FieldDeclarations, type Value } from "../../contract/value.ts";
import { pathSchema, vaultShape, type VaultSettings } from "../../systems/vault/connection.ts";

export type ConnectionConfig = VaultSettings;
export const connectionSchema: z.ZodType<ConnectionConfig> = z.strictObject(vaultShape);

/** One role of one AppRole method. */
export interface CredentialConfig {
  readonly mount: string;
  readonly role: string;
}

export const configSchema: z.ZodType<CredentialConfig> = z.strictObject({
  mount: pathSchema("where the AppRole method is mounted")
    .default("approle")
    .describe("Where the AppRole method is mounted"),
  role: z
    .string()
    .max(256)
    .regex(/^(?!\.{1,2}$)[a-z0-9._-]+$/, "must be the name of a role: small letters, digits, '.', '_' and '-'")
    .describe("The role's name; Vault has it in small letters whatever was written"),
});

export const fields: FieldDeclarations = {
  role_id: { secret: false, title: "Role id" },
  secret_id: { secret: true, title: "Secret id" },
  accessor: { secret: false, title: "Accessor of the secret id" },
  mark: { secret: false, title: "What the tokens made with it carry" },
};

/** Of a secret id that a person made: its tokens carry nothing of ours. */
export const unmarked = "none";

/** Names a version: by the accessor it is found and ended, by the mark its tokens are known when it is gone. */
export interface Handle {
  readonly accessor: string;
  readonly mark: string;
}

export const writtenHandle = ({ accessor, mark }: Handle): string =>
  mark === unmarked ? accessor : `${accessor}.${mark}`;

export function readHandle(handle: string): Handle {
  const [accessor = "", mark = unmarked] = handle.split(".");
  return { accessor, mark };
}

/** Of what a person gives, too: that has no mark of ours. */
export const handleOf = (_config: CredentialConfig, value: Value): string =>
  writtenHandle({
    accessor: revealField(value, "accessor"),
    mark: value["mark"] === undefined ? unmarked : revealField(value, "mark"),
  });

export const complete = (_connection: ConnectionConfig, _config: CredentialConfig, given: Value): Value => ({
  ...given,
  mark: unmarked,
});
