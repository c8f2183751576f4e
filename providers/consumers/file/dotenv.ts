import { malformed, unfit, type Format } from "./format.ts";

/** One piece of the file: an assignment, which may span lines when quoted, or one line of anything else. */
interface Piece {
  readonly key?: string;
  readonly value?: string;
  readonly text: string;
  /** Start and end of the raw value inside `text`. */
  readonly from: number;
  readonly to: number;
}

const assignment = /^([^\S\r\n]*(?:export[^\S\r\n]+)?([A-Za-z_][A-Za-z0-9_.-]*)[^\S\r\n]*=[^\S\r\n]*)/;
const restOfLine = /^([^\r\n]*)(\r\n|\n|\r|$)/;
const quotedTail = /^[^\S\r\n]*(#[^\r\n]*)?(\r\n|\n|\r|$)/;
const inlineComment = /(^|[^\S\r\n]+)#.*$|[^\S\r\n]+$/;

function unescaped(raw: string, quote: string): string {
  return quote === '"' ? raw.replaceAll("\\n", "\n").replaceAll("\\r", "\r").replaceAll('\\"', '"') : raw;
}

/** Where the quote that opens at `from` closes; a backslash hides one in double quotes. */
function closing(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\" && quote === '"') at++;
    else if (text[at] === quote) return at;
  }
  return malformed("A quotation mark is opened and never closed.");
}

function pieceAt(rest: string): Piece {
  const head = assignment.exec(rest);
  if (head === null) {
    const text = restOfLine.exec(rest)?.[0] ?? rest;
    return { text, from: 0, to: 0 };
  }
  const key = head[2] ?? "";
  const from = (head[1] ?? "").length;
  const quote = rest[from];
  if (quote === '"' || quote === "'" || quote === "`") {
    const end = closing(rest, from, quote);
    const tail = quotedTail.exec(rest.slice(end + 1));
    if (tail === null) return malformed("Something other than a comment follows a quoted value.");
    const text = rest.slice(0, end + 1 + tail[0].length);
    return { key, value: unescaped(rest.slice(from + 1, end), quote), text, from, to: end + 1 };
  }
  const line = restOfLine.exec(rest.slice(from));
  const raw = line?.[1] ?? "";
  const value = raw.replace(inlineComment, "");
  return { key, value, text: rest.slice(0, from + (line?.[0] ?? "").length), from, to: from + value.length };
}

function pieces(text: string): readonly Piece[] {
  const found: Piece[] = [];
  const mark = text.startsWith("\uFEFF") ? 1 : 0;
  if (mark === 1) found.push({ text: "\uFEFF", from: 0, to: 0 });
  for (let at = mark; at < text.length;) {
    const piece = pieceAt(text.slice(at));
    found.push(piece);
    at += piece.text.length;
  }
  return found;
}

/** The one assignment of a key. Readers disagree whether the first or the last of two counts, so two are refused. */
function only(all: readonly Piece[], key: string): Piece | undefined {
  const found = all.filter((piece) => piece.key === key);
  if (found.length > 1) malformed(`The key "${key}" is assigned more than once.`);
  return found[0];
}

const plain = /^[A-Za-z0-9_./:@%+,=?-]+$/;
const breaking = /[\u0000-\u001f\u007f\u0085\u2028\u2029\\]/;
const lineBreaking = /[\u0000-\u001f\u007f\u0085\u2028\u2029]/;

/**
 * Writes a value so that shells and dotenv readers of all languages read the same. Where there is no such form, what the
 * application reads already is kept: its own quotes around a value that they hold as it is.
 */
function quoted(key: string, value: string, quote?: Quote): string {
  if (plain.test(value)) return `${quote ?? ""}${value}${quote ?? ""}`;
  if (!breaking.test(value)) {
    if (!value.includes("'")) return `'${value}'`;
    if (!/["$`]/.test(value)) return `"${value}"`;
  }
  // Bare, some readers take any such sign for the start of a comment.
  const kept = quote === undefined || (quote === "" && value.includes("#")) ? undefined : `${quote}${value}${quote}`;
  if (kept !== undefined && !lineBreaking.test(value) && holds(kept, value)) return kept;
  return unfit(
    breaking.test(value)
      ? `The value for "${key}" has a line end, control character or backslash, which dotenv readers do not agree about.`
      : `The value for "${key}" mixes quotation marks in a way that dotenv readers do not agree about.`,
  );
}

function holds(literal: string, value: string): boolean {
  try {
    const piece = pieceAt(`A=${literal}`);
    return piece.value === value && piece.to === literal.length + 2;
  } catch {
    return false;
  }
}

/** How the application's reader reads a value today; empty where it stands bare. */
type Quote = '"' | "'" | "`" | "";

/** Undefined where there is no value yet, which says nothing. */
function quoteOf({ text, from, to }: Piece): Quote | undefined {
  if (to === from) return undefined;
  const first = text[from];
  return first === '"' || first === "'" || first === "`" ? first : "";
}

export const dotenv: Format = {
  read(text, keys) {
    const all = pieces(text);
    return Object.fromEntries(keys.map((key) => [key, only(all, key)?.value]));
  },
  write(text, entries) {
    const all = pieces(text ?? "");
    const wanted = new Map(Object.entries(entries));
    const lineEnd = /\r\n|\n/.exec(text ?? "")?.[0] ?? "\n";
    for (const key of wanted.keys()) only(all, key);
    let result = all
      .map((piece) => {
        const value = piece.key === undefined ? undefined : wanted.get(piece.key);
        if (piece.key === undefined || value === undefined) return piece.text;
        // After an empty value a comment may follow at once, and would become part of ours.
        const space = piece.text[piece.to] === "#" ? " " : "";
        return (
          piece.text.slice(0, piece.from) +
          quoted(piece.key, value, quoteOf(piece)) +
          space +
          piece.text.slice(piece.to)
        );
      })
      .join("");
    for (const [key, value] of wanted) {
      if (only(all, key) !== undefined) continue;
      if (result !== "" && result !== "\uFEFF" && !/[\r\n]$/.test(result)) result += lineEnd;
      result += `${key}=${quoted(key, value)}${lineEnd}`;
    }
    return result;
  },
  foreign(text, keys) {
    const others = pieces(text).filter((piece) => piece.key === undefined || !keys.includes(piece.key));
    // Only the line end of the very last line may be added, when a key is appended.
    return others.map((piece) => piece.text.replace(/[\r\n]+$/, ""));
  },
};
