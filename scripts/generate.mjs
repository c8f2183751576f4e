#!/usr/bin/env node
// Writes the pages that are derived from the code; with --check it only says which are stale. Each page names its source
// in its first line. A page is a function of its source alone, so that the same code gives the same bytes everywhere.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  accessTablePart,
  errorCodes,
  importTablePart,
  manifestSchema,
  noticeTablePart,
  settings,
} from "./generated-pages.mjs";
import { providerPages } from "./provider-pages.mjs";

// Where the pages lie; a test points it elsewhere. Sources are always those beside this file.
const elsewhere = process.argv.find((arg) => arg.startsWith("--root="))?.slice("--root=".length);
const root = elsewhere ?? dirname(dirname(fileURLToPath(import.meta.url)));
const checkOnly = process.argv.includes("--check");
const read = (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : "");

/** A page's path to its whole text. */
const pages = {
  "docs/settings.md": settings,
  "docs/errors.md": errorCodes,
  ...(await providerPages()),
  "docs/manifests.schema.json": manifestSchema,
  "docs/access.md": () => accessTablePart(read("docs/access.md")),
  "docs/notices.md": () => noticeTablePart(read("docs/notices.md")),
  "ARCHITECTURE.md": () => importTablePart(read("ARCHITECTURE.md")),
};

const stale = [];
for (const [path, write] of Object.entries(pages)) {
  const text = await write();
  if (text === read(path)) continue;
  stale.push(path);
  if (checkOnly) continue;
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

if (checkOnly && stale.length > 0) {
  console.error(`Stale: ${stale.join(", ")}. Run 'npm run generate' and commit what it wrote.`);
  process.exitCode = 1;
} else {
  console.log(stale.length === 0 ? "Generated pages are fresh." : `Wrote ${stale.join(", ")}.`);
}
