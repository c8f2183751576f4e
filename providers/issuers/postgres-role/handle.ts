import { PermanentError } from "../../../domain/errors.ts";

/** One version at the server: the login that holds it and the version's number, since a login is used again and again. */
export interface Place {
  readonly role: string;
  readonly version: number;
}

/** `<role, percent-encoded>/<version>`: no role name, however odd, can be read as another role's handle. */
export function handleFor({ role, version }: Place): string {
  return `${encodeURIComponent(role)}/${version}`;
}

/** Reads back what `handleFor` wrote, and nothing else. */
export function placeOf(handle: string): Place {
  const [, encoded, number] = /^([^/]+)\/([1-9][0-9]{0,14})$/.exec(handle) ?? [];
  if (encoded !== undefined && number !== undefined) {
    const place = { role: decode(encoded), version: Number(number) };
    if (place.role !== undefined && handleFor({ ...place, role: place.role }) === handle)
      return { ...place, role: place.role };
  }
  throw new PermanentError("handle_taken", "The handle is none that this issuer gives. Start a new rotation.");
}

function decode(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
