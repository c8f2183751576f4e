import { isIP } from "node:net";
import { z } from "zod";
import { PermanentError } from "../../../domain/errors.ts";
import { revealField, type FieldDeclarations, type Value } from "../../contract/value.ts";
import { handleFor } from "./handle.ts";

/** PostgreSQL cuts longer names without an error, so that two names could become one. */
const longestName = 63;
export const roleName = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= longestName, `at most ${longestName} bytes`)
  .refine(
    (text) => text.isWellFormed() && !/[\u0000-\u001f\u007f\u0085\u2028\u2029]/.test(text),
    "no control characters",
  );
const host = z
  .string()
  .min(1)
  .max(255)
  .regex(/^(?:\/[^\u0000-\u001f]*|[A-Za-z0-9._:-]+)$/, "one host name, one address, or the folder of a Unix socket");
const port = z.int().min(1).max(65_535);

const tls = z.strictObject({
  mode: z.enum(["verify", "off"]).describe("`off` is for loopback and Unix sockets"),
  ca: z
    .string()
    .startsWith("-----BEGIN CERTIFICATE-----")
    .optional()
    .describe("Certificates to trust instead of the system's, as PEM"),
  serverName: z
    .string()
    .min(1)
    .optional()
    .describe("The name that the certificate must have, where it is not the host's"),
  unverified: z
    .literal(true)
    .optional()
    .describe("A recorded exception: neither chain nor name is checked, and no version is proven dead"),
});

export const connectionSchema = z
  .strictObject({
    host: host.describe("Name or address of the server itself, no pooler; or the folder of a Unix socket"),
    port: port.default(5432),
    database: roleName.describe(
      "Where the admin login connects; every role of the server is reached from any database",
    ),
    user: roleName.describe("The admin login, which no credential may have"),
    tls: tls.optional().describe("Without it: verified, and off where nothing leaves the machine"),
    clone: z
      .string()
      .min(1)
      .max(63)
      .optional()
      .describe("A name of yours that tells a copy of a server, with the same system identifier, from the server"),
  })
  .superRefine((connection, context) => {
    const isLocal = isLoopback(connection.host) || isSocket(connection.host);
    if (connection.tls?.mode === "off" && connection.tls.unverified !== true && !isLocal)
      context.addIssue({
        code: "custom",
        path: ["tls", "mode"],
        message: "off is for loopback and Unix sockets only; use verify, or record the exception with unverified: true",
      });
    if (connection.tls?.mode === "verify" && isSocket(connection.host))
      context.addIssue({ code: "custom", path: ["tls", "mode"], message: "a Unix socket has no TLS; use off" });
  });
export type ConnectionConfig = z.infer<typeof connectionSchema>;

const consumersConnect = {
  database: roleName.describe("The database that consumers use"),
  host: host.optional().describe("Where consumers connect to, when it is not the connection's own address"),
  port: port.optional(),
};
const overlapSchema = z
  .strictObject({
    owner: roleName.describe("The role that owns the objects; both logins are its members and work as it"),
    logins: z.tuple([roleName, roleName]).describe("The two logins that take turns"),
    ...consumersConnect,
  })
  .refine(({ owner, logins: [a, b] }) => a !== b && owner !== a && owner !== b, {
    path: ["logins"],
    message: "the two logins and the owner must be three different roles",
  });
const singleSchema = z.strictObject({
  login: roleName.describe("The one login, whose password is replaced"),
  ...consumersConnect,
});
export const configSchema = z.union([overlapSchema, singleSchema]);
export type OverlapConfig = z.infer<typeof overlapSchema>;
export type SingleConfig = z.infer<typeof singleSchema>;
export type CredentialConfig = OverlapConfig | SingleConfig;

export const isOverlap = (config: CredentialConfig): config is OverlapConfig => "owner" in config;

/** The owner too: in an adopted pair it is the login of version 1. */
export const principalsOf = (config: CredentialConfig): readonly string[] =>
  isOverlap(config) ? [config.owner, ...config.logins] : [config.login];

/** Logins that a new version may be put in. */
export const slotsOf = (config: CredentialConfig): readonly string[] =>
  isOverlap(config) ? config.logins : [config.login];

export const fields = {
  username: { secret: false, title: "User name" },
  password: { secret: true, title: "Password" },
  host: { secret: false, title: "Host" },
  port: { secret: false, title: "Port" },
  database: { secret: false, title: "Database" },
  url: { secret: true, title: "URL with user name and password" },
} as const satisfies FieldDeclarations;

export const adminFields = { password: { secret: true, title: "Password" } } as const satisfies FieldDeclarations;

export function handleOf(config: CredentialConfig, value: Value, version: number): string {
  const role = revealField(value, "username");
  if (!principalsOf(config).includes(role))
    throw new PermanentError("value_unfit", "The value's user name is none of this credential's logins.");
  return handleFor({ role, version });
}

export const isSocket = (of: string): boolean => of.startsWith("/");

export function isLoopback(of: string): boolean {
  return of === "localhost" || of === "::1" || of === "::ffff:127.0.0.1" || (isIP(of) === 4 && of.startsWith("127."));
}
