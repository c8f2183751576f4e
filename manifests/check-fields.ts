import type { z } from "zod";
import type { FieldPath, ManifestDocument, ManifestIssue } from "./documents.ts";
import { knownFields } from "./known-fields.ts";
import { oncePerMistake, sayIssue } from "./say-issue.ts";

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly issues: readonly ManifestIssue[] };

/** Checks what stands at a path of a document against a schema, with every mistake at its line. */
export function checkFields<T>(
  document: ManifestDocument,
  path: FieldPath,
  content: unknown,
  schema: z.ZodType<T>,
): Checked<T> {
  const result = schema.safeParse(content);
  if (result.success) return { ok: true, value: result.data };
  const known = knownFields(schema);
  const said = oncePerMistake(result.error.issues.flatMap((issue) => sayIssue(issue, content, known)));
  const issues = said.map((one) =>
    document.issue([...path, ...one.path], one.text, [...path, ...(one.shown ?? one.path)]),
  );
  return { ok: false, issues };
}
