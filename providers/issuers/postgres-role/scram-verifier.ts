import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { PermanentError } from "../../../domain/errors.ts";
import type { Secret } from "../../contract/secret.ts";

const derive = promisify(pbkdf2);
/** PostgreSQL's own default. Our passwords have 256 random bits, so that more rounds would protect nothing. */
const iterations = 4096;

/**
 * What PostgreSQL keeps of a password (RFC 5803, RFC 7677). We compute it, so that the password itself never travels in
 * a statement, which `log_statement` or `pg_stat_activity` could show. https://www.postgresql.org/docs/18/catalog-pg-authid.html
 */
export async function scramVerifier(password: Secret<string>, salt: Uint8Array = randomBytes(16)): Promise<string> {
  const text = password.reveal();
  assertPlainAscii(text);
  const salted = await derive(text, salt, iterations, 32, "sha256");
  const storedKey = createHash("sha256").update(keyed(salted, "Client Key")).digest("base64");
  const serverKey = keyed(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString("base64")}$${storedKey}:${serverKey}`;
}

const keyed = (key: Buffer, label: string): Buffer => createHmac("sha256", key).update(label).digest();

/** SASLprep (RFC 4013) leaves printable ASCII as it is. We never have to set anything else, so the rest is refused. */
function assertPlainAscii(password: string): void {
  if (!/^[\x20-\x7e]+$/.test(password))
    throw new PermanentError(
      "value_unfit",
      "The password has characters outside of printable ASCII, which clients prepare differently. Choose another.",
    );
}
