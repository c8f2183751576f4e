import { inspect } from "node:util";
import { PermanentError } from "../../domain/errors.ts";

const shown = "[secret]";
const redacted = /^(\*+|x{3,}|\[secret\]|\[?redacted\]?|<redacted>|hidden)$/i;

/**
 * Holds a value that must never be shown. It prints as `[secret]`, refuses to become JSON, and gives the value away
 * only by `reveal()`, so that each place that needs the bytes can be found by that word.
 */
export class Secret<T extends string | Uint8Array> {
  readonly #value: T;

  constructor(value: T) {
    if (value.length === 0) throw new PermanentError("value_unfit", "The value is empty.");
    if (typeof value === "string" && redacted.test(value))
      throw new PermanentError("value_unfit", "The value looks like a redaction, not like a secret.");
    this.#value = value;
  }

  /** The only way out. Call it where the bytes leave for an issuer, a consumer or custody, and nowhere else. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return shown;
  }

  toJSON(): never {
    throw new TypeError("a Secret cannot become JSON");
  }

  [inspect.custom](): string {
    return shown;
  }
}
