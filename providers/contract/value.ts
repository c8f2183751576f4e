import { Secret } from "./secret.ts";
import { PermanentError } from "../../domain/errors.ts";

/** How an issuer describes one field of its value. */
export interface FieldDeclaration {
  readonly secret: boolean;
  readonly title: string;
  /** Of a secret field with a form of its own: why it cannot be one, in sentences that repeat nothing of it. */
  readonly faultOf?: (secret: Secret<string>) => string | undefined;
}
export type FieldDeclarations = Readonly<Record<string, FieldDeclaration>>;

/** One version's value: named fields, each secret or plain. User name and password change as one. */
export type Value = Readonly<Record<string, Secret<string> | string>>;

/** The text of one field, whether secret or plain. Call it only where the bytes leave. */
export function revealField(value: Value, field: string): string {
  const part = value[field];
  if (part === undefined) throw new PermanentError("value_unfit", `The value has no field "${field}".`);
  return typeof part === "string" ? part : part.reveal();
}

// Control bytes and line ends: a line break in a value could add a variable to a dotenv file.
// eslint-disable-next-line no-control-regex
const controlBytes = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;
const pem = /^-----BEGIN [A-Z0-9 ]+-----\n[A-Za-z0-9+/=\n]+-----END [A-Z0-9 ]+-----\n?$/;
const longestField = 16_384;

/** Refuses what custody must never take: an empty or redacted field, a control byte outside PEM, an absurd length. */
export function assertFit(value: Value, fields: FieldDeclarations): void {
  for (const [name, declaration] of Object.entries(fields)) {
    const part = value[name];
    if (part === undefined) throw new PermanentError("value_unfit", `The field "${name}" is missing.`);
    if (declaration.secret !== part instanceof Secret)
      throw new PermanentError(
        "value_unfit",
        `The field "${name}" must be ${declaration.secret ? "secret" : "plain"}.`,
      );
    const text = revealField(value, name);
    if (text.length === 0 || text.length > longestField)
      throw new PermanentError("value_unfit", `The field "${name}" has an impossible length.`);
    if (controlBytes.test(text) && !pem.test(text))
      throw new PermanentError("value_unfit", `The field "${name}" holds a line end or control character.`);
    const fault = part instanceof Secret ? declaration.faultOf?.(part) : undefined;
    if (fault !== undefined) throw new PermanentError("value_unfit", fault);
  }
  for (const name of Object.keys(value))
    if (!(name in fields))
      throw new PermanentError("value_unfit", `The field "${name}" is not declared by the issuer.`);
}

/**
 * The texts of some fields, by field. Last check before a value leaves for a consumer: nothing empty, redacted, cut in the
 * middle of a character or with control bytes, in a secret field or a plain one.
 */
export function fitTextsOf(value: Value, fields: readonly string[]): Readonly<Record<string, string>> {
  const texts = Object.fromEntries(fields.map((field) => [field, revealField(value, field)]));
  const wrapped = Object.fromEntries(Object.entries(texts).map(([field, text]) => [field, new Secret(text)]));
  assertFit(wrapped, Object.fromEntries(Object.keys(texts).map((field) => [field, { secret: true, title: field }])));
  for (const [field, text] of Object.entries(texts))
    if (!text.isWellFormed())
      throw new PermanentError("value_unfit", `The field "${field}" is cut in the middle of a character.`);
  return texts;
}
