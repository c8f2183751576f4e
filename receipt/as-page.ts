import { reportOf } from "./report.ts";
import type { Section, Shown } from "./section.ts";
import { visible } from "./said.ts";
import { receiptText } from "./sign.ts";
import type { SignedReceipt } from "./shape.ts";

/**
 * Names the way in which a page is written. The check writes the page anew and compares, so that a page of this format is
 * the same to the last byte in every release: another wording needs another format, and this one kept.
 */
export const pageFormat = "rekey/receipt-page/v1";

export const embedBegins = '<pre id="receipt">';
export const embedEnds = "</pre>";

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (found) => escapes[found] ?? found);

/** The JSON stands in the page almost as it is. */
const embed = (text: string): string => text.replaceAll(/[&<>]/g, (found) => escapes[found] ?? found);
export const unembed = (text: string): string =>
  text.replaceAll("&gt;", ">").replaceAll("&lt;", "<").replaceAll("&amp;", "&");

const show = ({ text, at }: Shown): string =>
  at === undefined
    ? escape(visible(text))
    : `<span data-at="${escape(`/receipt${at}`)}">${escape(visible(text))}</span>`;

const table = ({ title, note, empty, columns, rows }: Section): string =>
  rows.length === 0
    ? `<section><h2>${title}</h2>\n<p class="none">${empty}</p></section>`
    : `<section><h2>${title}</h2>
${note === undefined ? "" : `<p class="none">${note}</p>\n`}<table><thead><tr>${columns.map((name) => `<th scope="col">${name}</th>`).join("")}</tr></thead>
<tbody>
${rows.map((cells) => `<tr>${cells.map((cell) => `<td>${show(cell)}</td>`).join("")}</tr>`).join("\n")}
</tbody></table></section>`;

const style = `:root{color-scheme:light}
body{font:14px/1.45 system-ui,"Liberation Sans",Arial,sans-serif;color:#1b1f24;background:#fff;max-width:66rem;margin:2rem auto;padding:0 1.5rem}
header{border-left:.6rem solid #8a5300;background:#fdf4e3;padding:.9rem 1.2rem;margin-bottom:1.4rem}
header.proven{border-color:#1a6b3c;background:#eaf6ee}
h1{font-size:1.7rem;margin:0 0 .2rem;letter-spacing:.02em}
h2{font-size:1.05rem;margin:1.7rem 0 .4rem}
header p{margin:.25rem 0}
header .what{color:#57606a;margin:0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem;margin:0}
dt{color:#57606a}
dd{margin:0}
dd,td{overflow-wrap:break-word;white-space:pre-line}
td [data-at$="/target"]{overflow-wrap:anywhere}
td [data-at$="/detail"]{display:block;min-width:16rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.28rem .8rem .28rem 0;border-bottom:1px solid #d8dee4}
th{color:#57606a;font-weight:600}
td:last-child,th:last-child{padding-right:0}
.trail td{font:11px/1.4 ui-monospace,"Liberation Mono",monospace}
.trail td:last-child{overflow-wrap:anywhere}
.none{color:#57606a;margin:0 0 .3rem}
footer{margin-top:2rem;border-top:2px solid #1b1f24;padding-top:.8rem}
pre{font:11px/1.4 ui-monospace,"Liberation Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
code{font:12px ui-monospace,"Liberation Mono",monospace}
@media print{h2{break-after:avoid}.trail td{font-size:8px}body{margin:0;max-width:none;padding:0;font-size:11px}section{break-inside:avoid-page}section.trail{break-inside:auto}tr{break-inside:avoid}header{print-color-adjust:exact;-webkit-print-color-adjust:exact}details{display:none}@page{margin:16mm}}`;

/** The receipt as one page without script or anything from elsewhere, with the signed document in it. */
export function receiptAsPage(document: SignedReceipt): string {
  const { receipt, digests, signature } = document;
  const { headline, isProven, summary, facts, sections } = reportOf(receipt);
  const [trail, head] = [sections.at(-2), sections.at(-1)];
  const title = `${headline}: ${receipt.credential.name}, rotation ${receipt.rotation.id}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="generator" content="${pageFormat}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(visible(title))}</title>
<style>
${style}
</style>
</head>
<body>
<header${isProven ? ' class="proven"' : ""}>
<p class="what">Receipt of a rotation, signed by rekey</p>
<h1>${headline}</h1>
${summary.map((text) => `<p>${escape(visible(text))}</p>`).join("\n")}
</header>
<dl>
${facts.map(({ label, shown }) => `<dt>${label}</dt><dd>${shown.map(show).join("")}</dd>`).join("\n")}
</dl>
${sections.slice(0, -2).map(table).join("\n")}
${[trail, head].map((section) => (section === undefined ? "" : table(section).replace("<section>", '<section class="trail">'))).join("\n")}
<footer>
<dl>
<dt>Signed by key</dt><dd>${escape(visible(signature.keyId))}</dd>
<dt>Digest of all of it</dt><dd>${escape(visible(digests[""] ?? ""))}</dd>
</dl>
<p>A page can be changed by anybody. Whether this one is as it was signed says <code>rekey receipt verify --key KEYFILE THIS-FILE</code>, on any machine, with the key that you have pinned. Paper is held against a file that was checked: both show the same digest.</p>
<details><summary>The signed document</summary>
${embedBegins}${embed(receiptText(document))}${embedEnds}
</details>
</footer>
</body>
</html>
`;
}
