// What of the source tree is the program: everything but tests and tools.
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { manifest, root } from "../setup/places.mjs";

const notProgram = new Set(["node_modules", "dist", "test", "scripts", "docs", "bin", "reports", "deploy"]);
const assetTypes = [".sql", ".json", ".yaml", ".yml", ".html", ".css", ".svg"];

/** All files below a folder, as paths from it with `/`. */
export async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

async function programFiles() {
  const found = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (entry.name.startsWith(".") || notProgram.has(entry.name)) continue;
    if (entry.isFile() && entry.name.endsWith(".ts") && !entry.name.endsWith(".config.ts")) found.push(entry.name);
    if (!entry.isDirectory()) continue;
    for (const file of await filesBelow(join(root, entry.name))) found.push(`${entry.name}/${file}`);
  }
  return found.filter((file) => !/\.test\.\w+$|(^|\/)(fixtures|__snapshots__|node_modules)\//.test(file));
}

const importPattern = /\bfrom\s+"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/g;

/** What a module imports, as written. */
export function importsOf(text) {
  return [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2]);
}

/** A package's name: two parts when it has a scope. */
export const packageOf = (specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)[0];

/** Modules of the program. One that imports a tool (a suite for tests, say) is not, nor what imports such a one. */
export async function publishedSources() {
  const texts = new Map();
  for (const file of await programFiles())
    if (file.endsWith(".ts") && !file.endsWith(".d.ts")) texts.set(file, readFileSync(join(root, file), "utf8"));
  const tools = new Set(Object.keys(manifest.devDependencies ?? {}).filter((name) => !name.startsWith("@types/")));
  const isTool = (file, specifier) =>
    specifier.startsWith(".")
      ? /(^|\/)test\//.test(join(file, "..", specifier)) || !isIn(texts, file, specifier)
      : tools.has(packageOf(specifier));
  for (let isSettled = false; !isSettled;) {
    isSettled = true;
    for (const [file, text] of texts) {
      if (!importsOf(text).some((specifier) => isTool(file, specifier))) continue;
      texts.delete(file);
      isSettled = false;
    }
  }
  return [...texts.keys()];
}

const isIn = (texts, file, specifier) =>
  !specifier.endsWith(".ts") ||
  texts.has(join(file, "..", specifier)) ||
  !existsSync(join(root, file, "..", specifier));

/** Files that modules read beside themselves. */
export async function publishedAssets() {
  return (await programFiles()).filter((file) => assetTypes.some((type) => file.endsWith(type)) && file.includes("/"));
}
