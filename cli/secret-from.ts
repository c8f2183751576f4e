import { readFile } from "node:fs/promises";
import { isMap, isScalar, parseAllDocuments, type Document, type YAMLMap } from "yaml";
import { readNamedVariable } from "../settings.ts";
import { usage } from "./cli-error.ts";

type SentSecret = string | Record<string, string>;

export interface ReadFile {
  readonly name: string;
  /** With the word `given` wherever a secret was named, on the same lines. */
  readonly text: string;
  /** By the document's place in the file. */
  readonly secrets: Readonly<Record<string, SentSecret>>;
}

/** Reads standard input once; whoever asks again is refused. */
export type ReadInput = () => Promise<string>;

interface Source {
  readonly kind: "env" | "file" | "stdin";
  readonly text: string;
}

/**
 * Reads what `secretFrom` names on this machine. Neither the name nor the path is sent: the API gets the secret apart
 * from the text. A `secretFrom` of any other form stays as it is, for the API to say what is wrong with it.
 */
export async function readSecrets(name: string, text: string, readInput: ReadInput): Promise<ReadFile> {
  const secrets: Record<string, SentSecret> = {};
  let sent = text;
  // From the end, so that the places of those before stay right.
  const documents = [...parseAllDocuments(text, { prettyErrors: false })].entries();
  for (const [index, document] of [...documents].toReversed()) {
    if (document.errors.length > 0) continue;
    const node = nodeOf(document);
    if (!node?.range) continue;
    const secret = await secretOf(node, name, readInput);
    if (secret === undefined) continue;
    secrets[String(index)] = secret;
    const [start, end] = node.range;
    const lineEnds = text.slice(start, end).replaceAll(/[^\n]/g, "");
    sent = `${sent.slice(0, start)}given${lineEnds}${sent.slice(end)}`;
  }
  return { name, text: sent, secrets };
}

function nodeOf(document: Document): YAMLMap | undefined {
  const node = document.getIn(["spec", "secretFrom"], true);
  return isMap(node) ? node : undefined;
}

async function secretOf(node: YAMLMap, file: string, readInput: ReadInput): Promise<SentSecret | undefined> {
  const source = sourceOf(node);
  if (source !== undefined) return read(source, file, readInput);
  const fields: Record<string, string> = {};
  for (const { key, value } of node.items) {
    const inner = isMap(value) ? sourceOf(value) : undefined;
    if (!isScalar(key) || inner === undefined) return undefined;
    fields[String(key.value)] = await read(inner, file, readInput);
  }
  return Object.keys(fields).length === 0 ? undefined : fields;
}

function sourceOf({ items }: YAMLMap): Source | undefined {
  const [pair, second] = items;
  if (pair === undefined || second !== undefined || !isScalar(pair.key) || !isScalar(pair.value)) return undefined;
  const kind = pair.key.value;
  const { value } = pair.value;
  if (kind === "stdin") return value === true ? { kind, text: "" } : undefined;
  return (kind === "env" || kind === "file") && typeof value === "string" ? { kind, text: value } : undefined;
}

async function read({ kind, text }: Source, file: string, readInput: ReadInput): Promise<string> {
  if (kind === "stdin") return readInput();
  if (kind === "env") {
    const value = readNamedVariable(text);
    if (value === undefined || value === "")
      throw usage(
        `${file}: the variable ${text} that secretFrom names is not set`,
        `Give it without leaving it in your history: read -rs ${text}; export ${text}; then apply again.`,
      );
    return value;
  }
  const content = await readFile(text, "utf8").catch(() => undefined);
  if (content === undefined || content.trim() === "")
    throw usage(
      `${file}: the file ${text} that secretFrom names cannot be read or is empty`,
      "Put the secret there, for you alone to read (chmod 600), or name another file.",
    );
  return withoutLineEnd(content);
}

/** An editor ends a file with a line end that is no part of the secret. */
export function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}
