import { isDeepStrictEqual } from "node:util";
import { isMap, isScalar, Lexer, parseDocument, Scalar, type Document } from "yaml";
import { malformed, type Format } from "./format.ts";
import { inserted } from "./yaml-insert.ts";
import { replaced } from "./yaml-replace.ts";

type Parsed = Document.Parsed;

function parse(source: string): Parsed {
  const document = parseDocument(source, { intAsBigInt: true, uniqueKeys: true });
  // A second document makes an error too, so a file with several is refused here.
  if (document.errors.length > 0) malformed("The file is not one YAML document.");
  if (
    document.contents !== null &&
    !isMap(document.contents) &&
    !(isScalar(document.contents) && document.contents.value === null)
  )
    malformed("The file's outermost value is not a mapping.");
  return document;
}

function scalarAt(document: Parsed, key: string): Scalar.Parsed | undefined {
  let node: unknown = document.contents;
  for (const name of key.split(".")) {
    if (node === null || node === undefined || (isScalar(node) && node.value === null)) return undefined;
    if (!isMap(node)) return malformed(`The way to "${key}" leads through something that is not a mapping.`);
    node = node.get(name, true);
  }
  if (node === undefined || node === null) return undefined;
  if (!isScalar(node)) return malformed(`"${key}" holds a list, a mapping or an alias, not a text.`);
  const found = node as Scalar.Parsed;
  if (found.anchor !== undefined || found.tag !== undefined)
    return malformed(`"${key}" has an anchor or a tag, so changing it could change more than itself.`);
  return found;
}

/** A JSON text with everything beyond printable ASCII escaped is a double-quoted YAML scalar on one line. */
function literal(value: string): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function withoutOurs(value: unknown, path: readonly string[], ours: ReadonlySet<string>): unknown {
  if (!(value instanceof Map)) return value;
  const rest = new Map<unknown, unknown>();
  for (const [name, member] of value as Map<unknown, unknown>) {
    const here = [...path, String(name)];
    if (ours.has(JSON.stringify(here))) continue;
    const kept = withoutOurs(member, here, ours);
    const onlyWay = [...ours].some((each) => each.startsWith(JSON.stringify(here).slice(0, -1) + ","));
    // A mapping that exists only to hold our key is ours as well.
    if (onlyWay && (kept === null || (kept instanceof Map && kept.size === 0))) continue;
    rest.set(name, kept);
  }
  return rest;
}

/** Whether a text with a new key in it reads as it should; if not, the document is written anew. */
function isGood(before: string, after: string, key: string, value: string): boolean {
  try {
    return (
      yaml.read(after, [key])[key] === value &&
      isDeepStrictEqual(yaml.foreign(before, [key]), yaml.foreign(after, [key]))
    );
  } catch {
    return false;
  }
}

/** The document with a new key, laid out by the library: comments and order stay, white space may not. */
function rewritten(document: Parsed, key: string, value: string): string {
  const scalar = new Scalar(value);
  scalar.type = Scalar.QUOTE_DOUBLE;
  const names = key.split(".");
  for (let depth = 1; depth < names.length; depth++)
    if (document.getIn(names.slice(0, depth)) === null) document.setIn(names.slice(0, depth), document.createNode({}));
  document.setIn(names, scalar);
  return document.toString({ lineWidth: 0 });
}

const scalarMark = "\u001f";

export const yaml: Format = {
  read(source, keys) {
    const document = parse(source);
    return Object.fromEntries(
      keys.map((key) => {
        const found = scalarAt(document, key);
        if (found === undefined || found.value === null) return [key, undefined];
        // A number as it is written: its value may have lost digits.
        return [key, typeof found.value === "string" ? found.value : source.slice(found.range[0], found.range[1])];
      }),
    );
  },
  write(source, entries) {
    let result = source ?? "";
    for (const [key, value] of Object.entries(entries)) {
      const document = parse(result);
      const found = scalarAt(document, key);
      if (found !== undefined) {
        result = replaced(result, found, literal(value));
        continue;
      }
      const candidate = inserted(result, document, key, literal(value));
      result =
        candidate !== undefined && isGood(result, candidate, key, value) ? candidate : rewritten(document, key, value);
    }
    return result;
  },
  foreign(source, keys) {
    const document = parse(source);
    let data: unknown;
    try {
      data = document.toJS({ mapAsMap: true });
    } catch {
      malformed("The file's aliases cannot be resolved.");
    }
    const rest = withoutOurs(data, [], new Set(keys.map((key) => JSON.stringify(key.split(".")))));
    // What follows a scalar's mark is its text, even where it begins like a comment.
    const tokens = [...new Lexer().lex(source)];
    const comments = tokens.filter((token, at) => token.startsWith("#") && tokens[at - 1] !== scalarMark);
    return { data: rest instanceof Map && rest.size === 0 ? null : rest, comments };
  },
};
