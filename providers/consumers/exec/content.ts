import { createHash, createHmac } from "node:crypto";
import { revealField, type Value } from "../../contract/value.ts";

export type Texts = Readonly<Record<string, string>>;

/** How the content of one target is compared without being shown. The program computes the same; README.md has it. */
export interface Comparison {
  /** What the registration calls the target. */
  readonly target: string;
  /** In the registration's order. */
  readonly fields: readonly string[];
  /** Goes to the program as it is. */
  readonly key: string;
}

/** The ledger's key for observations stays here: a program gets one that is good for its target alone. */
export function keyFor(name: string, digestKey: Uint8Array): string {
  return createHmac("sha256", digestKey).update(`rekey/exec/key/v1\n${name}`).digest("base64url");
}

/** What the fields hold, as they are. */
export function textsOf(value: Value, fields: readonly string[]): Texts {
  return Object.fromEntries(fields.map((field) => [field, revealField(value, field)]));
}

/** In two steps, so that a program whose target cannot be read back may keep the first one beside it. */
export function digestOf(texts: Texts, { target, fields, key }: Comparison): string {
  const lines = fields.map((field) => `${field}=${Buffer.from(texts[field] ?? "").toString("base64")}\n`);
  const seal = createHash("sha256")
    .update(`rekey/exec/v1\n${target}\n${lines.join("")}`)
    .digest("hex");
  return createHmac("sha256", key).update(seal).digest("hex");
}
