/** Names of one scheme, and where it leads without a port. */
const postgres = { scheme: "postgresql:", port: "5432" };
/** What wins over the rest of a URL: with one of these it leads somewhere else than it looks. */
const overriding = ["user", "password", "host", "hostaddr", "port", "dbname", "service"];

interface Place {
  readonly scheme: string;
  readonly parts: readonly string[];
  /** Query and fragment, as they are written. */
  readonly rest: string;
}

function placeIn(text: string): Place | undefined {
  try {
    const url = new URL(text);
    if (url.username === "" || url.password === "" || url.hostname === "") return undefined;
    if (overriding.some((name) => url.searchParams.has(name))) return undefined;
    const isPostgres = url.protocol === "postgres:" || url.protocol === postgres.scheme;
    const scheme = isPostgres ? postgres.scheme : url.protocol;
    const port = url.port === "" && isPostgres ? postgres.port : url.port;
    const parts = [url.username, url.password, url.hostname.toLowerCase(), port, url.pathname].map(decodeURIComponent);
    const end = text.search(/[?#]/);
    return { scheme, parts, rest: end < 0 ? "" : text.slice(end) };
  } catch {
    return undefined;
  }
}

/** Whether two URLs lead to one database as one login: what the application added behind it is its own. */
export function isSameUrl(held: string, wanted: string): boolean {
  if (held === wanted) return true;
  const [one, other] = [placeIn(held), placeIn(wanted)];
  if (one === undefined || other === undefined || one.scheme !== other.scheme || other.rest !== "") return false;
  return one.parts.every((part, at) => part === other.parts[at]);
}

/** The wanted URL in the scheme's spelling and with the parameters of the one that it replaces. */
export function withRestOf(held: string | undefined, wanted: string): string {
  const [one, other] = [held === undefined ? undefined : placeIn(held), placeIn(wanted)];
  if (held === undefined || one === undefined || other === undefined) return wanted;
  if (one.scheme !== other.scheme || other.rest !== "") return wanted;
  return held.slice(0, held.indexOf(":")) + wanted.slice(wanted.indexOf(":")) + one.rest;
}
