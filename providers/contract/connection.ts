import type { z } from "zod";
import type { FieldDeclarations } from "./value.ts";

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
}
