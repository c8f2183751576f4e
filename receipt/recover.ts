import { digestOf } from "./parts.ts";

/** Longer texts would take seconds, and nobody changes one byte of a page of prose. */
const longest = 1_000;
const bytes = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at));
const commonWords = [
  ...["proven", "undone", "closed-unproven", "failed-before-effect"],
  ...["attested", "observed", "acknowledged", "delivered", "retry", "roll-back", "accept"],
  ...[true, false, null, "", 0, 1],
];

/**
 * What was signed in place of what was found, where that can be told: its digest is known, so a guess is either right
 * or refused. `elsewhere`: what else stands in the receipt, by its digest. Guesses are that, the usual words, and whatever one byte
 * changed, lost or added made of it.
 */
export function recover(
  signed: string,
  found: unknown,
  elsewhere: ReadonlyMap<string, unknown>,
): { readonly value: unknown } | undefined {
  if (elsewhere.has(signed)) return { value: elsewhere.get(signed) };
  for (const guess of commonWords) if (digestOf(guess) === signed) return { value: guess };
  const guesses = typeof found === "number" ? nearNumbers(found) : typeof found === "string" ? nearTexts(found) : [];
  for (const guess of guesses) if (digestOf(guess) === signed) return { value: guess };
  return undefined;
}

/** A changed byte first: that is what happens most. */
function* nearTexts(text: string): Generator<string> {
  if (text.length > longest) return;
  const places = Array.from({ length: text.length + 1 }, (_, at) => [text.slice(0, at), text.slice(at)] as const);
  for (const [before, after] of places)
    for (const byte of bytes) if (after !== "") yield before + byte + after.slice(1);
  for (const [before, after] of places) yield before + after.slice(1);
  for (const [before, after] of places) for (const byte of bytes) yield before + byte + after;
}

function* nearNumbers(number: number): Generator<number> {
  for (const text of nearTexts(String(number))) if (/^-?\d+$/.test(text)) yield Number(text);
}
