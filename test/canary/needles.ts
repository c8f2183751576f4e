export interface Needle {
  /** Which form of which part of a marker; never the marker. */
  readonly form: string;
  readonly bytes: Buffer;
}

export interface Needles {
  /** Bytes of the longest: what two pieces of one file must share, so that nothing hides on the seam. */
  readonly longest: number;
  /** Forms that stand in these bytes. */
  find(bytes: Buffer): readonly string[];
}

/** A half that is shorter could stand anywhere by chance. */
const shortestHalf = 12;
const shortestMarker = 8;

/** Every form in which markers could lie somewhere: plain, encoded, escaped, wide, and each half of it. */
export function needlesOf(markers: Iterable<string>): Needles {
  const all = [...new Set(markers)].flatMap(partsOf);
  if (all.length === 0) throw new Error("A scan for nothing finds nothing.");
  return searchFor(all);
}

function partsOf(marker: string): readonly Needle[] {
  if (marker.length < shortestMarker) throw new Error("The marker is too short to be told from other text.");
  const half = Math.floor(marker.length / 2);
  // Whatever holds the whole holds a half.
  const parts =
    half < shortestHalf
      ? { whole: marker }
      : { "first half": marker.slice(0, half), "second half": marker.slice(half) };
  return Object.entries(parts).flatMap(([part, text]) =>
    formsOf(text.toWellFormed()).map(([form, bytes]) => ({ form: `${form}, ${part}`, bytes })),
  );
}

function formsOf(text: string): readonly (readonly [string, Buffer])[] {
  const bytes = Buffer.from(text, "utf8");
  const hex = bytes.toString("hex");
  const percent = encodeURIComponent(text);
  const wide = Buffer.from(text, "utf16le");
  const base64 = base64Cores(bytes);
  return [
    ["plain", bytes],
    ["JSON-escaped", Buffer.from(JSON.stringify(text).slice(1, -1))],
    ["percent-encoded", Buffer.from(percent)],
    ["percent-encoded", Buffer.from(percent.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()))],
    ["percent-encoded", Buffer.from(hex.replaceAll(/../g, "%$&"))],
    ["percent-encoded", Buffer.from(hex.replaceAll(/../g, "%$&").toUpperCase())],
    ["hex", Buffer.from(hex)],
    ["hex", Buffer.from(hex.toUpperCase())],
    ...base64.map((core) => ["base64", Buffer.from(core)] as const),
    ...base64.map((core) => ["base64url", Buffer.from(core.replaceAll("+", "-").replaceAll("/", "_"))] as const),
    ["UTF-16 LE", wide],
    ["UTF-16 BE", Buffer.from(wide).swap16()],
  ];
}

/** Base64 of the bytes wherever they lie in a longer text: less what the neighbours' bits touch. */
function base64Cores(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    return encoded.slice(shift === 0 ? 0 : shift + 1, -1);
  });
}

/**
 * All needles in one pass (Wu and Manber): a table says by two bytes how far the search may jump. Asking for each of
 * some hundred needles alone would take minutes for a database's files.
 */
function searchFor(needles: readonly Needle[]): Needles {
  const window = Math.min(...needles.map(({ bytes }) => bytes.length));
  const jumps = new Uint8Array(65_536).fill(Math.min(window - 1, 255));
  const endingIn = new Map<number, Needle[]>();
  for (const needle of needles) {
    for (let at = 0; at + 1 < window; at += 1) {
      const block = needle.bytes.readUInt16BE(at);
      jumps[block] = Math.min(jumps[block] ?? 0, window - 2 - at);
    }
    const last = needle.bytes.readUInt16BE(window - 2);
    endingIn.set(last, [...(endingIn.get(last) ?? []), needle]);
  }
  return {
    longest: Math.max(...needles.map(({ bytes }) => bytes.length)),
    find(bytes) {
      const found = new Set<string>();
      let begin = 0;
      while (begin + window <= bytes.length) {
        const block = bytes.readUInt16BE(begin + window - 2);
        const jump = jumps[block] ?? 0;
        if (jump === 0)
          for (const { form, bytes: wanted } of endingIn.get(block) ?? [])
            if (bytes.subarray(begin, begin + wanted.length).equals(wanted)) found.add(form);
        begin += Math.max(jump, 1);
      }
      return [...found];
    },
  };
}
