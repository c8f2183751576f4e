import { malformed, type Format } from "./format.ts";

/** A value's place in the text. An object also knows its members. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly members?: ReadonlyMap<string, Span>;
  /** Of an object: the white space before its first member and before its closing brace. */
  readonly indents?: { readonly member: string; readonly close: string };
}

const blank = /[ \t\r\n]*/y;
const text = /"(?:[^"\\]|\\.)*"/y;
const bare = /[^\s,\]}]+/y;

/** Finds spans in text that `JSON.parse` has already accepted, so that nothing but our values is rewritten. */
class Scanner {
  readonly #source: string;
  #at: number;

  constructor(source: string, at: number) {
    this.#source = source;
    this.#at = at;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  value(): Span {
    this.#take(blank);
    const from = this.#at;
    const first = this.#source[from];
    if (first === "{") return this.#object(from);
    if (first === "[") this.#array();
    else this.#take(first === '"' ? text : bare);
    return { from, to: this.#at };
  }

  #array(): void {
    this.#at++;
    this.#take(blank);
    while (this.#source[this.#at] !== "]") {
      this.value();
      this.#take(blank);
      if (this.#source[this.#at] === ",") this.#at++;
      this.#take(blank);
    }
    this.#at++;
  }

  #object(from: number): Span {
    this.#at++;
    const members = new Map<string, Span>();
    const member = this.#take(blank);
    let close = member;
    while (this.#source[this.#at] !== "}") {
      const name = JSON.parse(this.#take(text)) as string;
      if (members.has(name)) malformed("An object has one key twice.");
      this.#take(blank);
      this.#at++;
      members.set(name, this.value());
      close = this.#take(blank);
      if (this.#source[this.#at] !== ",") continue;
      this.#at++;
      this.#take(blank);
    }
    this.#at++;
    return { from, to: this.#at, members, indents: { member, close } };
  }
}

const empty = "{\n}\n";

/** A file that was made and not filled yet is like an empty object. */
function filled(source: string): string {
  // A byte order mark counts as white space for `trim`.
  return source.trim() === "" ? (source.startsWith("\uFEFF") ? `\uFEFF${empty}` : empty) : source;
}

function scan(source: string): Span {
  const mark = source.startsWith("\uFEFF") ? 1 : 0;
  try {
    JSON.parse(source.slice(mark));
  } catch {
    malformed("The file is not JSON.");
  }
  const root = new Scanner(source, mark).value();
  if (root.members === undefined) malformed("The file's outermost value is not an object.");
  return root;
}

/** The deepest place on the way to a key, and the names that are still missing. */
function walk(root: Span, key: string): { readonly span: Span; readonly missing: readonly string[] } {
  let span = root;
  const names = key.split(".");
  for (const [index, name] of names.entries()) {
    if (span.members === undefined) malformed(`The way to "${key}" leads through something that is not an object.`);
    const next = span.members.get(name);
    if (next === undefined) return { span, missing: names.slice(index) };
    span = next;
  }
  return { span, missing: [] };
}

function assertText(source: string, span: Span, key: string): void {
  if (source[span.from] === "{" || source[span.from] === "[")
    malformed(`"${key}" holds an object or a list, not a text.`);
}

function insert(source: string, parent: Span, missing: readonly string[], literal: string): string {
  const [name = "", ...deeper] = missing;
  const inner = deeper.reduceRight((value, each) => `{${JSON.stringify(each)}: ${value}}`, literal);
  const member = `${JSON.stringify(name)}: ${inner}`;
  const { member: lead, close } = parent.indents ?? { member: "", close: "" };
  const isEmpty = parent.members?.size === 0;
  const before = source.slice(0, parent.to - 1 - close.length);
  const separator = isEmpty ? lead : `,${lead === "" ? " " : lead}`;
  return before + separator + member + close + source.slice(parent.to - 1);
}

export const json: Format = {
  read(given, keys) {
    const source = filled(given);
    const root = scan(source);
    const held = keys.map((key) => {
      const { span, missing } = walk(root, key);
      if (missing.length > 0) return [key, undefined];
      const value: unknown = JSON.parse(source.slice(span.from, span.to));
      assertText(source, span, key);
      // A number as it is written: its value may have lost digits.
      return [key, typeof value === "string" ? value : value === null ? undefined : source.slice(span.from, span.to)];
    });
    return Object.fromEntries(held) as Record<string, string | undefined>;
  },
  write(source, entries) {
    let result = filled(source ?? "");
    for (const [key, value] of Object.entries(entries)) {
      const literal = JSON.stringify(value);
      const { span, missing } = walk(scan(result), key);
      if (missing.length === 0) assertText(result, span, key);
      result =
        missing.length > 0
          ? insert(result, span, missing, literal)
          : result.slice(0, span.from) + literal + result.slice(span.to);
    }
    return result;
  },
  foreign(given, keys) {
    const source = filled(given);
    // Values as written, by their path: numbers beyond a double's precision are compared too.
    const leaves: [string, string][] = [];
    const ours = new Set(keys.map((key) => JSON.stringify(key.split("."))));
    // An object that only leads to our key is ours as well, so that it may be empty before and not after.
    const ways = new Set(
      keys.flatMap((key) => key.split(".").map((_, at, names) => JSON.stringify(names.slice(0, at)))),
    );
    const visit = (span: Span, path: readonly string[]): void => {
      if (ours.has(JSON.stringify(path))) return;
      if (span.members === undefined || (span.members.size === 0 && !ways.has(JSON.stringify(path))))
        leaves.push([JSON.stringify(path), source.slice(span.from, span.to)]);
      for (const [name, member] of span.members ?? []) visit(member, [...path, name]);
    };
    visit(scan(source), []);
    return leaves;
  },
};
