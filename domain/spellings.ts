// A secret that has leaked is seldom found alone: it stands in a URL, a line of a dotenv file, a command, a header. Here is
// in which ways a text may hold one.

/** Shorter words are no secret of an issuer, and ordinary. What has a form that says where the secret stands may be shorter. */
const shortestWord = 6;
/** A decoded text may be encoded again, as base64 in JSON is. */
const deepest = 3;
/** Of one word: whatever has more colons or at-signs is no pair of name and secret. */
const mostCuts = 8;

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Every text that a pasted one may mean as a secret: itself, without what people write around it, the parts that have the
 * place of a secret, each word, and what those are when decoded. Each once, itself first.
 */
export function spellingsOf(text: string): readonly string[] {
  const found = new Set<string>();
  spell(text, 0, found);
  return [...found].filter((one) => one !== "");
}

function spell(text: string, depth: number, found: Set<string>): void {
  if (text === "" || found.has(text)) return;
  found.add(text);
  if (depth > deepest) return;
  const words = text.trim().split(/\s+/);
  const parts = new Set([text, ...bare(text), ...[text, ...words].flatMap(placed), ...quotedParts(text)]);
  for (const word of words) if (word.length >= shortestWord) for (const part of wordParts(word)) parts.add(part);
  for (const part of parts) {
    found.add(part);
    for (const one of decoded(part)) spell(one, depth + 1, found);
  }
}

const quotes = /^["'`\u2018\u2019\u201c\u201d]+|["'`\u2018\u2019\u201c\u201d]+$/gu;

/** Without white space, quotes, and what ends a line of code or a sentence. */
function bare(text: string): readonly string[] {
  const trimmed = text.trim();
  const ended = trimmed.replace(/[,;.]+$/, "");
  return [trimmed, ended, trimmed.replaceAll(quotes, ""), ended.replaceAll(quotes, "")];
}

/** What stands in the place of a secret: after a name, in a URL, as the last part of a pair. */
function placed(word: string): readonly string[] {
  const [, assigned] = /^(?:export\s+|set\s+|\$env:|--?)?["']?[\w.-]+["']?\s*[=:]+\s*(.+)$/su.exec(word.trim()) ?? [];
  const [, glued] = /^-[a-z](.+)$/i.exec(word) ?? [];
  return [
    ...(assigned === undefined ? [] : bare(assigned)),
    ...(glued === undefined ? [] : bare(glued)),
    ...cutsAt(word.trim(), ":").flatMap(([, after]) => bare(after)),
    ...urlParts(word),
  ];
}

/** The passwords of every URL, whose `@` and `/` may have been written as they are, and the values of its query. */
function urlParts(text: string): readonly string[] {
  return [...text.matchAll(/[a-z][a-z0-9+.-]{0,30}:\/\/([^\s"`<>]+)/gi)].flatMap(([, rest = ""]) => {
    const secrets = cutsAt(rest, "@").map(([user]) => user.slice(user.indexOf(":") + 1));
    const [, ...query] = rest.split(/[?&;#]/);
    return [...secrets, ...query.flatMap((pair) => bare(pair.slice(pair.indexOf("=") + 1)))];
  });
}

/** What stands before and after each of the first occurrences. */
function cutsAt(text: string, mark: string): readonly (readonly [string, string])[] {
  const cuts: [string, string][] = [];
  for (let at = text.indexOf(mark); at >= 0 && cuts.length < mostCuts; at = text.indexOf(mark, at + 1))
    cuts.push([text.slice(0, at), text.slice(at + mark.length)]);
  return cuts;
}

function quotedParts(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)+)"|'((?:[^'\\]|''|\\.)+)'|`([^`]+)`/gu)].flatMap(([, a, b, c]) => {
    const inner = a ?? b ?? c ?? "";
    return [inner, inner.replaceAll("''", "'")];
  });
}

/** A word and the pieces of it, each as it stands and without marks around it. */
function wordParts(word: string): readonly string[] {
  const pieces = [word, ...word.split(/["'`,;:=@/()<>[\]{}|&?]+/)];
  return pieces
    .flatMap((piece) => [piece, piece.replaceAll(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "")])
    .filter((piece) => piece.length >= shortestWord);
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", apos: "'" };

/** What a text is when it is taken for one that was encoded. A way that does not fit says nothing. */
function decoded(text: string): readonly string[] {
  return [
    ...(text.includes("%") ? decodedPercent(text) : []),
    ...(text.includes("+") ? decodedPercent(text.replaceAll("+", " ")) : []),
    ...(text.includes("\\") ? [...decodedJson(text), text.replaceAll(/\\(.)/gsu, "$1")] : []),
    ...(text.includes("&") ? [text.replaceAll(/&(\w+|#39);/g, (all, name: string) => entities[name] ?? all)] : []),
    ...decodedBase64(text),
  ].filter((one) => one !== text);
}

function decodedPercent(text: string): readonly string[] {
  try {
    return [decodeURIComponent(text)];
  } catch {
    return [];
  }
}

function decodedJson(text: string): readonly string[] {
  try {
    const read: unknown = JSON.parse(`"${text}"`);
    return typeof read === "string" ? [read] : [];
  } catch {
    return [];
  }
}

/** Only where text comes out: bytes at random are no secret that anybody typed. */
function decodedBase64(text: string): readonly string[] {
  if (text.length < 2 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return [];
  try {
    const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const read = decoder.decode(Uint8Array.from(bytes, (one) => one.charCodeAt(0)));
    return /[^\P{Cc}\s]/u.test(read) ? [] : [read];
  } catch {
    return [];
  }
}
