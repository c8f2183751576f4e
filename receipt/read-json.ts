import { pointerTo } from "./parts.ts";

/** Where something stands in a text, from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export class JsonError extends Error {
  override readonly name = "JsonError";
  readonly place: Place;
  constructor(text: string, place: Place) {
    super(text);
    this.place = place;
  }
}

export interface ReadJson {
  readonly value: unknown;
  /** Where each value begins, by its pointer; `placeIn` makes a place of it. */
  readonly offsets: ReadonlyMap<string, number>;
}

export function placeIn(text: string, offset: number): Place {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

const space = /[ \t\n\r]*/y;
const scalar =
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const deepest = 32;

/**
 * JSON with the place of each value. `JSON.parse` names no place for many mistakes, and of a key that stands twice it
 * takes the last in silence, where a person would read the first.
 * @throws {JsonError}
 */
export function readJson(text: string): ReadJson {
  const offsets = new Map<string, number>();
  let offset = 0;

  const fail = (what: string, at = offset): never => {
    throw new JsonError(what, placeIn(text, at));
  };
  const skip = (): string => {
    space.lastIndex = offset;
    space.exec(text);
    offset = space.lastIndex;
    return text[offset] ?? "";
  };
  const expect = (mark: string): void => {
    if (skip() !== mark) fail(`${mark} was expected`);
    offset += 1;
  };

  function read(pointer: string, depth: number): unknown {
    if (depth > deepest) fail("it goes deeper than any receipt");
    const mark = skip();
    offsets.set(pointer, offset);
    if (mark === "{") return readObject(pointer, depth);
    if (mark === "[") return readList(pointer, depth);
    return readScalar();
  }

  function readScalar(): unknown {
    scalar.lastIndex = offset;
    const found = scalar.exec(text)?.[0];
    if (found === undefined) return fail("a value was expected");
    const value: unknown = JSON.parse(found);
    // 1.0 and 1e0 are 1 to a program and something else to a reader.
    if (typeof value === "number" && String(value) !== found) fail("a number is not written as rekey writes it");
    offset = scalar.lastIndex;
    return value;
  }

  function readObject(pointer: string, depth: number): unknown {
    const found = new Map<string, unknown>();
    readItems("}", () => {
      if (skip() !== '"') fail("a name in quotes was expected");
      const begins = offset;
      const key = readScalar() as string;
      if (found.has(key)) fail(`${pointerTo(pointer, key)} stands twice`, begins);
      expect(":");
      found.set(key, read(pointerTo(pointer, key), depth + 1));
    });
    return Object.fromEntries(found);
  }

  function readList(pointer: string, depth: number): unknown {
    const found: unknown[] = [];
    readItems("]", () => void found.push(read(pointerTo(pointer, found.length), depth + 1)));
    return found;
  }

  function readItems(end: string, readOne: () => void): void {
    offset += 1;
    if (skip() !== end) readOne();
    while (skip() === ",") {
      offset += 1;
      readOne();
    }
    expect(end);
  }

  const value = read("", 0);
  if (skip() !== "") fail("nothing was expected after the end");
  return { value, offsets };
}
