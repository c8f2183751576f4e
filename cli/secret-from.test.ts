import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { readSecrets } from "./secret-from.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-secret-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const never = () => Promise.reject(new Error("standard input is not needed"));
const newSecret = () => randomBytes(8).toString("hex");

async function secretFile(text: string): Promise<string> {
  const path = join(folder, newSecret());
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

const lineOf = (text: string, part: string) => text.split("\n").findIndex((line) => line.includes(part));

describe("a secret that a manifest names", () => {
  it.each([
    ["in one line", (path: string) => `secretFrom: { file: ${path} }`],
    ["in two", (path: string) => `secretFrom:\n    file: ${path}`],
    ["in braces over several", (path: string) => `secretFrom: {\n    file: ${path},\n  }`],
  ])("is read and leaves every line where it was: %s", async (_, write) => {
    const secret = newSecret();
    const path = await secretFile(`${secret}\n`);
    const text = `kind: Connection\nspec:\n  ${write(path)}\n  pool: here\n---\nkind: Team\n`;
    const read = await readSecrets("a.yaml", text, never);
    expect(read.secrets).toEqual({ 0: secret });
    expect(read.text).toMatch(/secretFrom:\s+given/);
    expect(read.text).not.toContain(path);
    for (const part of ["pool: here", "kind: Team"]) expect(lineOf(read.text, part)).toBe(lineOf(text, part));
  });

  it("comes from a variable or from standard input as well", async () => {
    const secret = newSecret();
    vi.stubEnv("MY_TEST_SECRET", secret);
    const text =
      "spec: { secretFrom: { env: MY_TEST_SECRET }, pool: here }\n---\nspec: { secretFrom: { stdin: true } }\n";
    const read = await readSecrets("a.yaml", text, () => Promise.resolve("typed"));
    vi.unstubAllEnvs();
    expect(read.secrets).toEqual({ 0: secret, 1: "typed" });
    expect(read.text).toBe("spec: { secretFrom: given, pool: here }\n---\nspec: { secretFrom: given }\n");
  });

  it("may have several fields, each from its own place", async () => {
    const secret = newSecret();
    const path = await secretFile(secret);
    const text = `spec:\n  secretFrom:\n    id: { stdin: true }\n    key: { file: ${path} }\n`;
    const read = await readSecrets("a.yaml", text, () => Promise.resolve("me"));
    expect(read.secrets).toEqual({ 0: { id: "me", key: secret } });
  });

  it("keeps its own line ends but the last", async () => {
    const path = await secretFile("-----BEGIN\nabc\n-----END\r\n");
    const read = await readSecrets("a.yaml", `spec: { secretFrom: { file: ${path} } }`, never);
    expect(read.secrets).toEqual({ 0: "-----BEGIN\nabc\n-----END" });
  });

  it.each(["hunter2", "{ value: x }", "{ env: A, file: B }", "{ stdin: false }", "[a]", "{}"])(
    "that is named in no such way stays for the API to refuse: %s",
    async (form) => {
      const text = `spec: { secretFrom: ${form} }`;
      expect(await readSecrets("a.yaml", text, never)).toMatchObject({ text, secrets: {} });
    },
  );

  it("is left alone in a document that is no YAML", async () => {
    const text = "spec: { secretFrom: { stdin: true }\n";
    expect(await readSecrets("a.yaml", text, never)).toMatchObject({ text, secrets: {} });
  });
});
