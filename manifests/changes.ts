/** A value as a plan shows it. No secret can stand in a manifest, so none can stand here. */
export type Shown = string | number | boolean | null;

export interface FieldChange {
  /** Dotted path below the manifest. */
  readonly field: string;
  /** Null when the field was not there. */
  readonly from: Shown;
  readonly to: Shown;
}

function flatten(content: unknown, path: string, into: Map<string, Shown>): void {
  if (typeof content === "object" && content !== null) {
    for (const [name, value] of Object.entries(content)) flatten(value, path === "" ? name : `${path}.${name}`, into);
  } else if (typeof content === "string" || typeof content === "number" || typeof content === "boolean") {
    into.set(path, content);
  }
}

/** Every field that differs, in the order of the paths. Absent, null and undefined are the same. */
export function changesBetween(before: unknown, after: unknown): readonly FieldChange[] {
  const old = new Map<string, Shown>();
  const wanted = new Map<string, Shown>();
  flatten(before, "", old);
  flatten(after, "", wanted);
  return [...new Set([...old.keys(), ...wanted.keys()])]
    .toSorted()
    .filter((field) => old.get(field) !== wanted.get(field))
    .map((field) => ({ field, from: old.get(field) ?? null, to: wanted.get(field) ?? null }));
}
