import { createHash } from "node:crypto";
import pg from "pg";

/** Names by text: the same text is the same statement, on whatever connection. */
const names = new Map<string, string>();

function nameOf(text: string): string {
  const found = names.get(text);
  if (found !== undefined) return found;
  const name = `rekey_${createHash("sha256").update(text).digest("base64url").slice(0, 22)}`;
  names.set(text, name);
  return name;
}

/**
 * A client whose server parses and plans each statement once, since a worker sends the same ones again and again: without it
 * that is more than half of what a step costs the ledger. What has no parameters is sent as it is.
 */
export class PreparingClient extends pg.Client {
  // The driver has one method for many shapes of call; all but one of them go on as they are.
  override query(...given: unknown[]): never {
    const [text, values, ...rest] = given;
    const isPlain = typeof text !== "string" || !Array.isArray(values) || values.length === 0;
    const call = isPlain ? given : [{ name: nameOf(text), text, values: values as unknown[] }, ...rest];
    // oxlint-disable-next-line typescript/unbound-method -- bound here
    return Reflect.apply(super.query, this, call) as never;
  }
}
