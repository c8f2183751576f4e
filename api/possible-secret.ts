import { Secret } from "../providers/contract/secret.ts";

/** A text as the secret that it may be. One that stands for a secret, such as `hidden` or `***`, is none. */
export function possibleSecret(text: string): readonly Secret<string>[] {
  try {
    return [new Secret(text)];
  } catch {
    return [];
  }
}
