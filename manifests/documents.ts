import {
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
  type YAMLError,
} from "yaml";

export interface ManifestFile {
  readonly name: string;
  readonly text: string;
}

/** Something wrong in a manifest: where, and what to write instead. Never what was written there. */
export interface ManifestIssue {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Dotted path within the document; empty for the document itself. */
  readonly field: string;
  readonly text: string;
}

/** As a person goes through the files. */
export function inReadingOrder(
  files: readonly { readonly name: string }[],
  issues: readonly ManifestIssue[],
): readonly ManifestIssue[] {
  const placeOf = ({ file }: ManifestIssue) => files.findIndex(({ name }) => name === file);
  return issues.toSorted((a, b) => placeOf(a) - placeOf(b) || a.line - b.line || a.column - b.column);
}

export type FieldPath = readonly PropertyKey[];

/** One YAML document with the way back to its lines. */
export interface ManifestDocument {
  readonly file: string;
  /** From 0 within its file. */
  readonly index: number;
  readonly content: unknown;
  /** `shown` stands for the path where its last part is a stranger's word, which may be a secret in a wrong place. */
  issue(path: FieldPath, text: string, shown?: FieldPath): ManifestIssue;
}

/** What is wrong in words, by the parser's own code. Its messages may quote the line, so they are not used. */
const syntax: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "a tab stands where YAML wants spaces",
  BAD_INDENT: "the indentation does not fit the lines around it, or a bracket or quote above is not closed",
  DUPLICATE_KEY: "a field is given twice; keep one",
  MULTILINE_IMPLICIT_KEY: "a field's name runs over several lines; check the line above for a missing colon or quote",
  MISSING_CHAR: "a quote, bracket or colon is missing",
  BLOCK_AS_IMPLICIT_KEY: "a mapping stands where a single value is expected; check the indentation",
  UNEXPECTED_TOKEN: "something stands here that YAML does not expect",
};

/** The documents of one file; empty ones are left out. */
export function readDocuments(file: ManifestFile): {
  readonly documents: readonly ManifestDocument[];
  readonly issues: readonly ManifestIssue[];
} {
  const lines = new LineCounter();
  // Its warnings, which go to standard error, quote what stands in the file.
  const quiet = { logLevel: "error", prettyErrors: false } as const;
  const parsed = parseAllDocuments(file.text, { ...quiet, lineCounter: lines, version: "1.2" });
  const documents: ManifestDocument[] = [];
  const issues: ManifestIssue[] = [];
  for (const [index, document] of [...parsed].entries()) {
    const alias = firstAlias(document);
    if (document.errors.length > 0) issues.push(...document.errors.map((error) => syntaxIssue(file, error, lines)));
    else if (alias !== undefined) issues.push({ ...at(file, alias, lines), field: "", text: aliasText });
    else {
      const positioned = positionedDocument(file.name, index, document, lines);
      if (positioned.content !== null) documents.push(positioned);
    }
  }
  return { documents, issues };
}

/** Few of them can stand for more than any memory holds, and a value read elsewhere hides what a file means. */
const aliasText =
  "is an alias (*name, also in <<: *name), which manifests do not have; write out what its anchor holds.";

function firstAlias(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias(_, { range }) {
      found = range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

function positionedDocument(file: string, index: number, document: Document, lines: LineCounter): ManifestDocument {
  return {
    file,
    index,
    content: document.toJS(),
    issue(path, text, shown = path) {
      const { line, col } = lines.linePos(offsetOf(document, path));
      return { file, line, column: col, field: shown.map(String).join("."), text };
    },
  };
}

const at = (file: ManifestFile, offset: number, lines: LineCounter) => {
  const { line, col } = lines.linePos(offset);
  return { file: file.name, line, column: col };
};

function syntaxIssue(file: ManifestFile, error: YAMLError, lines: LineCounter): ManifestIssue {
  const text = `is not valid YAML: ${syntax[error.code] ?? "this cannot be read"}.`;
  return { ...at(file, error.pos[0], lines), field: "", text };
}

/** Where the path's key stands, or the nearest thing around it that is there. */
function offsetOf(document: Document, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isCollection(node) && typeof part === "number") {
      node = node.items[part];
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}
