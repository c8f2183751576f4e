import { isMap, isNode, isScalar, Scalar, type Document, type YAMLMap } from "yaml";
import { replaced } from "./yaml-replace.ts";

const plainName = /^(?!(?:y|n|yes|no|on|off|true|false|null)$)[a-z_][a-z0-9_-]*$/i;

function nameText(name: string): string {
  return plainName.test(name) ? name : JSON.stringify(name);
}

/** `a: "v"`, or `a: {b: "v"}` when what leads to the key is missing as well. */
function entryText(names: readonly string[], literal: string): string {
  const [name = "", ...deeper] = names;
  const value = deeper.reduceRight((inner, each) => `{${nameText(each)}: ${inner}}`, literal);
  return `${nameText(name)}: ${value}`;
}

/** A line of its own at `at` or after the line that holds `at`. */
function withLine(source: string, at: number, line: string): string {
  const lineEnd = source.includes("\r\n") ? "\r\n" : "\n";
  const isAtStart = at === 0 || source[at - 1] === "\n" || source.slice(0, at) === "\uFEFF";
  const next = isAtStart ? at : source.indexOf("\n", at) + 1;
  if (!isAtStart && next === 0) return source + lineEnd + line + lineEnd;
  return source.slice(0, next) + line + lineEnd + source.slice(next);
}

function intoMap(source: string, map: YAMLMap, entry: string): string | undefined {
  const start = map.range?.[0];
  if (start === undefined) return undefined;
  if (map.flow === true)
    return `${source.slice(0, start + 1)}${entry}${map.items.length > 0 ? ", " : ""}${source.slice(start + 1)}`;
  const last = map.items.at(-1);
  const end = isNode(last?.value) ? last.value.range?.[2] : undefined;
  const indent = source.slice(source.lastIndexOf("\n", start - 1) + 1, start).replace("\uFEFF", "");
  return end === undefined || indent.trim() !== "" ? undefined : withLine(source, end, indent + entry);
}

/**
 * The text with a new key and everything else as it was; undefined when its layout is too unusual. The caller parses the
 * result before using it. `literal` is a scalar on one line.
 */
export function inserted(source: string, document: Document.Parsed, key: string, literal: string): string | undefined {
  let node: unknown = document.contents;
  const names = key.split(".");
  for (const [depth, name] of names.entries()) {
    const missing = names.slice(depth);
    if (isMap(node)) {
      const next: unknown = node.get(name, true);
      if (next === undefined) return intoMap(source, node, entryText(missing, literal));
      node = next;
    } else if (depth === 0) {
      return withLine(source, source.length, entryText(missing, literal));
    } else {
      return node instanceof Scalar && isScalar(node) && node.range
        ? replaced(source, node as Scalar.Parsed, `{${entryText(missing, literal)}}`)
        : undefined;
    }
  }
  return undefined;
}
