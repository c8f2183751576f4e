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
  const salted = await derive(prepared(password), salt, iterations, 32, "sha256");
  const storedKey = createHash("sha256").update(keyed(salted, "Client Key")).digest("base64");
  const serverKey = keyed(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString("base64")}$${storedKey}:${serverKey}`;
}

const keyed = (key: Buffer, label: string): Buffer => createHmac("sha256", key).update(label).digest();

const spaces = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/g;
const mappedToNothing = /\u00AD|\u034F|\u1806|\u180B|\u180C|\u180D|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/g;
const control = /[\u0000-\u001f\u007f]/;

/**
 * The very bytes by which `pg` logs in (SASLprep without its prohibitions, as in pg/lib/crypto/sasl.js). A password that
 * was seen accepted is therefore set again as it is, whichever way the server had prepared it.
 * @throws {PermanentError} `value_unfit`: no login can be made by it.
 */
export function prepared(password: Secret<string>): string {
  const text = password.reveal();
  const bytes = text.replace(spaces, " ").replace(mappedToNothing, "").normalize("NFKC");
  if (bytes === "" || !text.isWellFormed() || control.test(text))
    throw new PermanentError(
      "value_unfit",
      "The password has characters that PostgreSQL cannot take again. Set one of letters and digits at the server first.",
    );
  return bytes;
}
