import { stringify } from "yaml";
import type { Manifest } from "./schemas.ts";

/**
 * One manifest as a YAML document that `readManifests` reads back as the same. `remarks` stand below the spec, indented as
 * its fields are, so that one may be made a field by removing its `# `.
 */
export function writeManifest({ apiVersion, kind, metadata, spec }: Manifest, remarks: readonly string[] = []): string {
  const content = { apiVersion, kind, metadata, ...(spec === undefined || spec === null ? {} : { spec }) };
  // Long texts stay on their line, and what is there twice is written twice: aliases are refused when it is read.
  const text = stringify(content, { version: "1.2", lineWidth: 0, aliasDuplicateObjects: false });
  return `${text}${remarks.map((remark) => `  # ${remark}\n`).join("")}`;
}
