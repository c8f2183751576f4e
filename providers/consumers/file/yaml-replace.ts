import { Scalar } from "yaml";

/** Puts `text` where a scalar stands, which may be nothing at all between a colon and a line end. */
export function replaced(source: string, found: Scalar.Parsed, text: string): string {
  const [from, to] = found.range;
  const isBlock = found.type === Scalar.BLOCK_LITERAL || found.type === Scalar.BLOCK_FOLDED;
  const before = /[:?-]/.test(source[from - 1] ?? "") ? " " : "";
  const blockEnd = isBlock ? (/\r?\n$/.exec(source.slice(from, to))?.[0] ?? "") : "";
  const after = source[to] === "#" && blockEnd === "" ? " " : blockEnd;
  return source.slice(0, from) + before + text + after + source.slice(to);
}
