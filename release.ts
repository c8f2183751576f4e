import { readFileSync } from "node:fs";

function readVersion(): string {
  // Beside the sources, and one folder up from the built files.
  for (const place of ["./package.json", "../package.json"]) {
    try {
      const { name, version: found } = JSON.parse(readFileSync(new URL(place, import.meta.url), "utf8")) as {
        readonly name: string;
        readonly version: string;
      };
      if (name === "rekey") return found;
    } catch {
      continue;
    }
  }
  return "unknown";
}

/** The release that runs; `unknown` where the package is not whole. */
export const version = readVersion();
