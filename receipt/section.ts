/** A text with the part of the receipt that it shows, by JSON pointer; undefined for words of ours. */
export interface Shown {
  readonly text: string;
  readonly at: string | undefined;
}

export interface Section {
  readonly title: string;
  /** How to read the rows. */
  readonly note?: string;
  /** Said in place of rows where there is none. */
  readonly empty: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Shown[])[];
}

/** One row of cells, each named for its field below the row's own pointer. */
export type Cells = readonly (readonly [field: string, text: string])[];
export const rowsOf = <T>(
  list: readonly T[],
  pointer: string,
  cells: (one: T) => Cells,
): readonly (readonly Shown[])[] =>
  list.map((one, place) => cells(one).map(([field, text]) => ({ text, at: `${pointer}/${place}/${field}` })));

export const or = (text: string | null, other: string): string => (text === null || text === "" ? other : text);
