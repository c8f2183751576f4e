const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Microseconds since 1970 of an ISO 8601 time with a zone; undefined when it is none. Servers count microseconds and
 * `Date` drops them: a session begun just before a cut would look as if it began with it.
 */
export function microsecondsOf(text: string): number | undefined {
  const match = iso.exec(text);
  const milliseconds = match === null ? Number.NaN : Date.parse(text);
  if (Number.isNaN(milliseconds)) return undefined;
  return milliseconds * 1_000 + Number((match?.[1] ?? "").padEnd(6, "0").slice(3, 6));
}
