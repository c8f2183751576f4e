import { embedBegins, embedEnds, pageFormat, receiptAsPage, unembed } from "./as-page.ts";
import { placeIn, readJson } from "./read-json.ts";
import type { SignedReceipt } from "./shape.ts";
import { verifyReceipt, type Fault, type PinnedKey, type ReceiptVerdict } from "./verify.ts";

/** Checks a receipt as a file holds it: the document itself, or the page that has it in it. */
export function verifyFile(text: string, keys: readonly PinnedKey[]): ReceiptVerdict {
  return /^\s*</.test(text) ? verifyPage(text, keys) : verifyReceipt(text, keys);
}

/** Checks the document in the page, and that all that the page shows is what this document says. */
function verifyPage(given: string, keys: readonly PinnedKey[]): ReceiptVerdict {
  // Mail and version control write line ends their own way, and nobody sees them.
  const page = given.replaceAll("\r\n", "\n");
  const [first, last] = [page.indexOf(embedBegins), page.lastIndexOf(embedEnds)];
  if (first === -1 || last < first)
    return bad("", "There is no receipt in this page. Ask for one: rekey rotation receipt ID --format html");
  const begin = first + embedBegins.length;
  const text = unembed(page.slice(begin, last));
  const verdict = verifyReceipt(text, keys);
  const lines = placeIn(page, begin).line - 1;
  if (!verdict.ok)
    return {
      ok: false,
      faults: verdict.faults.map(({ place, ...fault }) =>
        place === undefined ? fault : { ...fault, place: { ...place, line: place.line + lines } },
      ),
    };
  if (!page.includes(`content="${pageFormat}"`))
    return bad(
      "",
      `The document in the page is good. What the page shows was not checked, since it is not written as ${pageFormat}: check it with the release of rekey that made it.`,
    );
  const faults = differences(page, receiptAsPage(readJson(text).value as SignedReceipt));
  return faults.length === 0 ? verdict : { ok: false, faults };
}

const bad = (at: string, text: string): ReceiptVerdict => ({ ok: false, faults: [{ at, text }] });

const mostNamed = 20;

function differences(given: string, expected: string): readonly Fault[] {
  const faults: Fault[] = [];
  let page = given;
  while (page !== expected && faults.length < mostNamed) {
    const at = firstDifference(page, expected);
    const place = placeIn(page, at);
    const cell = cellAround(expected, at);
    const shown = cell && page.slice(cell.begins).split("</span>", 1).join("");
    if (cell === undefined || shown === undefined || shown === cell.text) {
      const [found, signed] = [around(page, at), around(expected, at)];
      return [
        ...faults,
        {
          at: "",
          place,
          text: `The page reads ${JSON.stringify(found)}; from the signed receipt follows ${JSON.stringify(signed)}.`,
        },
      ];
    }
    faults.push({
      at: cell.pointer,
      place,
      text: `The page shows ${JSON.stringify(shown)}; ${JSON.stringify(cell.text)} was signed.`,
    });
    page = page.slice(0, cell.begins) + cell.text + page.slice(cell.begins + shown.length);
  }
  return faults;
}

function firstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

const around = (text: string, at: number): string => text.slice(Math.max(0, at - 20), at + 20);

/** The shown part of the receipt that the difference lies in. */
function cellAround(page: string, at: number) {
  const [opening] = [...page.slice(0, at).matchAll(/<span data-at="([^"]*)">/g)].slice(-1);
  if (opening === undefined) return undefined;
  const begins = opening.index + opening[0].length;
  const text = page.slice(begins).split("</span>", 1).join("");
  return at <= begins + text.length ? { pointer: unembed(opening[1] ?? ""), begins, text } : undefined;
}
