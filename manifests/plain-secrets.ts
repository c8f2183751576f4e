import type { FieldPath } from "./documents.ts";

const secretName = /pass(word|wd|phrase)|secret|token|api[_-]?key|private[_-]?key/i;
const urlWithPassword = /[a-z][a-z0-9+.-]*:\/\/[^\s/@:]*:[^\s/@]+@/i;
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

export const plainSecretText =
  "holds a secret in plain text, which would lie in files, backups and version control. Remove it, replace that secret if the file was shared, and write secretFrom: { env: NAME }, { file: PATH } or { stdin: true } under the connection's spec.";

/** Whether a field's name says that a secret stands there. Asked of fields that no schema knows. */
export function looksSecret(field: string): boolean {
  return secretName.test(field);
}

/** Paths of values that are secrets by their own form, wherever they stand. */
export function findPlainSecrets(content: unknown, path: FieldPath = []): readonly FieldPath[] {
  if (typeof content === "string") return urlWithPassword.test(content) || privateKey.test(content) ? [path] : [];
  if (typeof content !== "object" || content === null) return [];
  return Object.entries(content).flatMap(([key, value]) =>
    findPlainSecrets(value, [...path, Array.isArray(content) ? Number(key) : key]),
  );
}
