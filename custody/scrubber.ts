import { Secret } from "../providers/contract/secret.ts";
import type { Value } from "../providers/contract/value.ts";

const mark = "[secret]";
/** Shorter ones would blank out ordinary words; no issuer makes them. */
const shortest = 6;

export interface Scrubber {
  /** Watches for the secret fields of these values until the callback has ended. */
  withHeld<T>(values: readonly Value[], work: () => Promise<T>): Promise<T>;
  /** The text without any form of a value held at this moment, by anybody in this process. */
  scrub(text: string): string;
  /** How many times a value was found so far. Each is a defect to look into. */
  hits(): number;
}

/** Base64 of the bytes wherever they may lie in a longer encoded text: less what the neighbours' bits touch. */
function base64Cores(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const isCut = (bytes.length + shift) % 3 !== 0;
    return encoded.slice(shift === 0 ? 0 : shift + 1, isCut ? -1 : undefined);
  });
}

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, "utf8");
  const hex = bytes.toString("hex");
  const percent = encodeURIComponent(secret.toWellFormed());
  const lowered = percent.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
  const everyByte = hex.replace(/../g, "%$&");
  const cores = base64Cores(bytes).filter((core) => core.length >= shortest);
  const base64 = [bytes.toString("base64"), ...cores];
  const base64url = base64.map((form) => form.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""));
  const forms = [secret, JSON.stringify(secret).slice(1, -1), hex, hex.toUpperCase(), percent, lowered, everyByte];
  return [...new Set([...forms, everyByte.toUpperCase(), ...base64, ...base64url])];
}

/** The last net under every log: it should never catch anything. `onHit` raises the alarm and gets no text. */
export function createScrubber(onHit: (hits: number) => void = () => undefined): Scrubber {
  const held = new Map<string, { holders: number; readonly forms: readonly string[] }>();
  let ordered: readonly string[] = [];
  let total = 0;

  function reorder(): void {
    // Longest first: a form that contains another must go before it.
    ordered = [...held.values()].flatMap(({ forms }) => forms).toSorted((a, b) => b.length - a.length);
  }

  function hold(secrets: readonly string[]): void {
    for (const secret of secrets) {
      const entry = held.get(secret) ?? { holders: 0, forms: formsOf(secret) };
      entry.holders += 1;
      held.set(secret, entry);
    }
    reorder();
  }

  function release(secrets: readonly string[]): void {
    for (const secret of secrets) {
      const entry = held.get(secret);
      if (entry === undefined) continue;
      entry.holders -= 1;
      if (entry.holders === 0) held.delete(secret);
    }
    reorder();
  }

  return {
    async withHeld(values, work) {
      const secrets = values
        .flatMap((value) => Object.values(value))
        .flatMap((part) => (part instanceof Secret ? [part.reveal()] : []))
        .filter((secret) => secret.length >= shortest);
      hold(secrets);
      try {
        return await work();
      } finally {
        release(secrets);
      }
    },
    scrub(text) {
      let clean = text;
      let found = 0;
      for (const form of ordered) {
        if (!clean.includes(form)) continue;
        const pieces = clean.split(form);
        found += pieces.length - 1;
        clean = pieces.join(mark);
      }
      if (found > 0) {
        total += found;
        onHit(found);
      }
      return clean;
    },
    hits: () => total,
  };
}
