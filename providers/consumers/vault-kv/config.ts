import { z } from "zod";
import { pathSchema } from "../../systems/vault/connection.ts";
import type { KvPlace } from "../../systems/vault/kv.ts";
import { markPrefix } from "./mark.ts";

/** A registration of fields of one secret. */
export interface VaultKvConfig {
  readonly mount?: string | undefined;
  readonly path: string;
  readonly keys: Readonly<Record<string, string>>;
}

export const configSchema: z.ZodType<VaultKvConfig> = z.strictObject({
  mount: pathSchema("where the engine is mounted")
    .optional()
    .describe("Where the KV engine (version 2) is mounted; `secret` without it"),
  path: pathSchema("the path of a secret").describe("The secret's path below the mount, without the `data` between"),
  keys: z
    .record(
      z
        .string()
        .min(1)
        .max(256)
        .refine(
          (key) => !key.startsWith(markPrefix),
          `must not begin with ${markPrefix}, which rekey keeps its marks in`,
        ),
      z.string().min(1).max(256),
    )
    .refine((keys) => Object.keys(keys).length > 0, { message: "must name at least one key" })
    .describe("The secret's key, to the field of the value that it holds"),
});

export const placeIn = ({ mount = "secret", path }: VaultKvConfig): KvPlace => ({ mount, path });

export const fieldsOf = ({ keys }: VaultKvConfig): readonly string[] => [...new Set(Object.values(keys))];
