// Looks at a finished dist/ as a stranger would who has only the package.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { manifest, root } from "../setup/places.mjs";
import { filesBelow, importsOf, packageOf } from "./published.mjs";

const provided = new Set([
  ...Object.keys(manifest.dependencies),
  ...Object.keys(manifest.optionalDependencies ?? {}),
  ...builtinModules,
]);

/** One line for each thing that must not be published as it is. */
export async function faultsIn(dist) {
  const faults = [];
  for (const file of await filesBelow(dist)) {
    const text = await readFile(join(dist, file), "utf8");
    const say = (what) => faults.push(`${file}: ${what}`);
    if (text.includes(root)) say("holds the path of this source tree");
    else if (homedir().length > 5 && text.includes(homedir())) say("holds this user's home folder");
    if (/failpoint/i.test(file) || /\bfailpoints?\s*\(/.test(text) || /failpoint\.[jt]s/.test(text))
      say("a failpoint is left; import it by name from a module named failpoint.ts and only call it");
    if (file.endsWith(".js") && !file.endsWith(".bundle.js"))
      for (const fault of importFaults(dist, file, text)) say(fault);
  }
  return faults;
}

function importFaults(dist, file, text) {
  const faults = [];
  for (const specifier of importsOf(text)) {
    if (specifier.startsWith(".")) {
      if (!existsSync(join(dist, dirname(file), specifier)))
        faults.push(`imports ${specifier}, which is not published`);
    } else if (!specifier.startsWith("node:") && !provided.has(packageOf(specifier))) {
      faults.push(`imports ${packageOf(specifier)}, which is not in package.json's dependencies`);
    }
  }
  // A name of a source file in a string is a program or module that will not be found.
  for (const [, name] of text.matchAll(/["'`]([\w./-]*\w\.ts)["'`]/g))
    faults.push(`names ${name}; end it with extname(import.meta.url), since the published file ends in .js`);
  return faults;
}
