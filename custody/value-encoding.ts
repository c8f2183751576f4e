import { PermanentError } from "../domain/errors.ts";
import { Secret } from "../providers/contract/secret.ts";
import type { Value } from "../providers/contract/value.ts";

type Field = readonly [name: string, kind: "secret" | "plain", text: string];

/** The bytes of a value, including which of its fields are secret. */
export function encodeValue(value: Value): Buffer {
  const fields = Object.entries(value).map(([name, part]): Field =>
    typeof part === "string" ? [name, "plain", part] : [name, "secret", part.reveal()],
  );
  if (fields.length === 0) throw new PermanentError("value_unfit", "The value has no field.");
  return Buffer.from(JSON.stringify(fields), "utf8");
}

function isField(candidate: unknown): candidate is Field {
  if (!Array.isArray(candidate) || candidate.length !== 3) return false;
  const [name, kind, text] = candidate as readonly unknown[];
  return typeof name === "string" && (kind === "secret" || kind === "plain") && typeof text === "string";
}

/** The inverse of `encodeValue`. What it throws holds nothing of the bytes. */
export function decodeValue(bytes: Buffer): Value {
  let fields: unknown;
  try {
    fields = JSON.parse(bytes.toString("utf8"));
  } catch {
    fields = undefined;
  }
  if (!Array.isArray(fields) || fields.length === 0 || !fields.every(isField))
    throw new PermanentError(
      "custody_unreadable",
      "The opened value has an unknown form. A newer release may have written it.",
    );
  return Object.fromEntries(fields.map(([name, kind, text]) => [name, kind === "secret" ? new Secret(text) : text]));
}
