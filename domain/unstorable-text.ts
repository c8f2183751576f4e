/** Where a text stands that no ledger can hold. */
export interface UnstorableText {
  readonly path: readonly PropertyKey[];
  /** What of the path may be shown: all of it, unless the text is itself the name of a field. */
  readonly shown: readonly PropertyKey[];
}

/** PostgreSQL holds no NUL, and UTF-8 has no form for half of a character. */
const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes("\u0000");

/** Every text in the content, fields' names included, that cannot be stored, and would be refused only by the ledger. */
export function findUnstorable(content: unknown, path: readonly PropertyKey[] = []): readonly UnstorableText[] {
  if (typeof content === "string") return isStorable(content) ? [] : [{ path, shown: path }];
  if (typeof content !== "object" || content === null) return [];
  return Object.entries(content).flatMap(([key, value]) => {
    const below = [...path, Array.isArray(content) ? Number(key) : key];
    return isStorable(key) ? findUnstorable(value, below) : [{ path: below, shown: path }];
  });
}
