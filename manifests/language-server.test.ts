import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);
const folder = new URL("examples/manifests/", root);
const program = fileURLToPath(
  import.meta.resolve("yaml-language-server").replace(/out.src.index.js$/, "bin/yaml-language-server"),
);

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly uri: string; readonly diagnostics: readonly Diagnostic[] };
}

interface Diagnostic {
  readonly range: { readonly start: { readonly line: number } };
  readonly message: string;
}

/** What an editor speaks with the server of its YAML files: JSON with a length before it, on standard streams. */
class Editor {
  readonly #server: ChildProcess = spawn(process.execPath, [program, "--stdio"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  readonly #waiting = new Map<string, (diagnostics: readonly Diagnostic[]) => void>();
  #buffer = Buffer.alloc(0);

  constructor() {
    this.#server.stdout?.on("data", (bytes: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, bytes]);
      for (let message = this.#next(); message !== undefined; message = this.#next()) this.#hear(message);
    });
    this.#send("initialize", { processId: process.pid, rootUri: root.href, capabilities: {} }, 1);
    this.#send("initialized", {});
    this.#send("workspace/didChangeConfiguration", { settings: { yaml: { schemaStore: { enable: false } } } });
  }

  /** What the editor underlines in a file with this text. */
  open(name: string, text: string): Promise<readonly Diagnostic[]> {
    const uri = new URL(name, folder).href;
    return new Promise((resolve) => {
      this.#waiting.set(uri, resolve);
      this.#send("textDocument/didOpen", { textDocument: { uri, languageId: "yaml", version: 1, text } });
    });
  }

  close(): void {
    this.#server.kill();
  }

  #send(method: string, params: unknown, id?: number): void {
    this.#write({ jsonrpc: "2.0", method, params, ...(id === undefined ? {} : { id }) });
  }

  #write(message: unknown): void {
    const body = Buffer.from(JSON.stringify(message));
    this.#server.stdin?.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.#server.stdin?.write(body);
  }

  #next(): Message | undefined {
    const head = /^Content-Length: (\d+)[^]*?\r\n\r\n/.exec(this.#buffer.toString("latin1"));
    const end = (head?.[0].length ?? 0) + Number(head?.[1]);
    if (head === null || this.#buffer.length < end) return undefined;
    const body = this.#buffer.subarray(head[0].length, end);
    this.#buffer = this.#buffer.subarray(end);
    return JSON.parse(body.toString("utf8")) as Message;
  }

  #hear({ id, method, params }: Message): void {
    // Whatever it asks of the editor (its settings, its folders), this one has no answer to.
    if (id !== undefined && method !== undefined) this.#write({ jsonrpc: "2.0", id, result: null });
    if (method !== "textDocument/publishDiagnostics" || params === undefined) return;
    this.#waiting.get(params.uri)?.(params.diagnostics);
    this.#waiting.delete(params.uri);
  }
}

describe("in an editor with a YAML language server", () => {
  let editor: Editor;
  beforeAll(() => void (editor = new Editor()));
  afterAll(() => editor.close());

  it.each(readdirSync(folder))("the example %s has nothing underlined", async (name) => {
    expect(await editor.open(name, readFileSync(new URL(name, folder), "utf8"))).toEqual([]);
  });

  const orders = readFileSync(new URL("orders.yaml", folder), "utf8");
  it.each([
    ["a field that is none", "  grace: 15m", "  grase: 15m", "Property grase is not allowed."],
    ["a kind of consumer that there is not", "  kind: file", "  kind: files", 'Valid values: "file"'],
    [
      "a label that is a number",
      "labels: { tier: gold }\n  annotations: { example.com/chat",
      "labels: { tier: 1 }\n  annotations: { example.com/chat",
      'Incorrect type. Expected "string".',
    ],
    ["a field given twice", "  contact: shop@example.com", "  contact: a\n  contact: b", "Map keys must be unique"],
  ])("%s is underlined where it stands", async (what, right, wrong, expected) => {
    const text = orders.replace(right, wrong);
    expect(text).not.toBe(orders);
    const found = await editor.open(`${what}.yaml`, text);
    const line = orders.slice(0, orders.indexOf(right)).split("\n").length - 1;
    expect(found.map(({ message }) => message).join("\n")).toContain(expected);
    expect(found.map(({ range }) => range.start.line)).toContain(line + (what.includes("twice") ? 1 : 0));
  });
});
