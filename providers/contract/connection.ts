import type { z } from "zod";
import type { ProviderContext } from "./context.ts";
import type { Finding } from "./issuer.ts";
import type { FieldDeclarations, Value } from "./value.ts";

/** What a connection leads to, and what it may do there, whatever would be rotated or delivered over it. */
export interface ConnectionLook {
  /** As an issuer session's `identify`. */
  readonly identity: string;
  /** For people: `PostgreSQL 18.4, over TLS`. */
  readonly about: string;
  /** The system's clock at this moment, ISO 8601. */
  readonly at: string;
  /** Rights that are missing, `right_unneeded` for more than the kind asks for, and what is not verified on the way. */
  readonly findings: readonly Finding[];
}

/**
 * How a system is reached and as whom: what a Connection manifest of this kind holds. Every issuer is one itself; a kind
 * of consumer that lies in another system has one, which several kinds may share: one object, one `kind`.
 *
 * The secret is sent nowhere but where the settings lead: custody ties it to them, and it is opened for one activity only.
 */
export interface ConnectionKind<Connection = unknown> {
  /** `spec.kind` of its Connection manifests. */
  readonly kind: string;
  readonly connectionSchema: z.ZodType<Connection>;
  /** The fields of the connection's own secret. */
  readonly adminFields: FieldDeclarations;
  /**
   * The login that the connection itself uses, as the system names it; a credential of that system can never be it. Empty
   * where only the secret tells.
   */
  adminPrincipalOf(connection: Connection): string;
  /** Logs in with the connection's own secret and looks; changes nothing. Absent: it shows nothing by itself. */
  look?(
    opening: { readonly connection: Connection; readonly admin: Value },
    context: ProviderContext,
  ): Promise<ConnectionLook>;
}
