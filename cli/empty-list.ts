/**
 * What is said of a list with nothing in it. With a filter it is no news that there is nothing at all: the filter is
 * named instead.
 */
export function emptyList(
  what: "consumer" | "credential" | "grant" | "notice" | "proposal" | "rotation" | "row" | "token",
  filter: Readonly<Record<string, string | boolean | undefined>>,
  next: string,
): string {
  const given = Object.entries(filter).flatMap(([name, value]) =>
    value === undefined || value === false ? [] : [value === true ? `--${name}` : `--${name} ${value}`],
  );
  if (given.length === 0) return `There is no ${what} yet. ${next}`;
  return `No ${what} fits ${given.join(" ")}. Leave that out to see all.`;
}
