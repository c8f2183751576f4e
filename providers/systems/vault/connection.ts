import { z } from "zod";
import { isAuthority, isHttpsOrigin } from "../../contract/https-origin.ts";
import type { FieldDeclarations } from "../../contract/value.ts";

/** How a Vault is reached, and as whom. */
export interface VaultSettings {
  readonly address: string;
  readonly ca?: string | undefined;
  readonly namespace?: string | undefined;
  readonly approle?: { readonly mount?: string | undefined; readonly roleId: string } | undefined;
}

/** Parts of letters, digits, '.', '_', '~' and '-': each stays one part, in a URL and in a policy. */
const segment = /^(?!\.{1,2}$)[A-Za-z0-9._~-]+$/;
const isPath = (text: string): boolean => text.length <= 512 && text.split("/").every((part) => segment.test(part));
const isPrefix = (text: string): boolean => isPath(text.endsWith("/") ? text.slice(0, -1) : text);

export const pathSchema = (what: string): z.ZodString =>
  z
    .string()
    .refine(
      isPath,
      `must be ${what}: letters, digits, '.', '_', '~' and '-', in parts between '/', without a '/' at the ends`,
    );

/** What every way to a Vault has in its settings; kinds add what is their own. */
export const vaultShape = {
  address: z
    .string()
    .max(512)
    .refine(isHttpsOrigin, "must be https://HOST:PORT, without a path, a user or a question mark")
    .describe("`https://HOST:PORT`; a Vault without TLS is refused"),
  ca: z
    .string()
    .max(65_536)
    .refine(isAuthority, "must be a certificate authority as PEM, beginning with -----BEGIN CERTIFICATE-----")
    .optional()
    .describe("Vault's authority as PEM, then the only one that is trusted there"),
  namespace: pathSchema("a namespace").optional().describe("For Vault Enterprise and HCP: `admin/shop`"),
  approle: z
    .strictObject({
      mount: pathSchema("where the AppRole method is mounted")
        .optional()
        .describe("Where the method is mounted; `approle` without it"),
      roleId: z.string().min(1).max(4096).describe("The role's id, which is not secret"),
    })
    .optional()
    .describe("Log in as this AppRole, with the secret as its secret id. Without it the secret is a token"),
};

export const vaultFields: FieldDeclarations = {
  secret: { secret: true, title: "The token; with `approle`, the secret id" },
};

/** What each team may name, by prefixes of whole parts: `secret/apps/orders/`, or one path to its end. */
export const pathsSchema = (what: string): z.ZodType<Readonly<Record<string, readonly string[]>>> =>
  z
    .record(
      z.string().min(1),
      z.array(z.string().refine(isPrefix, "must be a path, or the beginning of one that ends with '/'")).min(1),
    )
    .describe(what);

/** Whether one of the team's entries leads to the path. */
export function allows(
  paths: Readonly<Record<string, readonly string[]>>,
  team: string,
  path: string,
): { readonly isAllowed: boolean; readonly entries: readonly string[] } {
  const entries = Object.hasOwn(paths, team) ? (paths[team] ?? []) : [];
  const isAllowed = entries.some((entry) => (entry.endsWith("/") ? path.startsWith(entry) : path === entry));
  return { isAllowed, entries };
}

/** The system's own address: two connections to one place in it have the same, whichever way the namespace is given. */
export const placeOf = ({ address, namespace }: VaultSettings): string =>
  [new URL(address).host, ...(namespace === undefined ? [] : [namespace])].join("/");
