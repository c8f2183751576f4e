import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";

const project = fileURLToPath(new URL("../../", import.meta.url));
let root: string;

/** Runs the generator over the copied pages. */
function generate(...args: string[]): { readonly status: number | null; readonly said: string } {
  const program = join(project, "scripts", "generate.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, `--root=${root}`, ...args], {
    encoding: "utf8",
  });
  return { status, said: stdout + stderr };
}

const change = (path: string, from: RegExp, to: string): void => {
  const text = readFileSync(join(root, path), "utf8");
  expect(text).toMatch(from);
  writeFileSync(join(root, path), text.replace(from, to));
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "rekey-pages-"));
  for (const path of ["docs", "ARCHITECTURE.md"]) cpSync(join(project, path), join(root, path), { recursive: true });
  generate();
  return () => rmSync(root, { recursive: true });
});

describe("the generated pages", () => {
  it("are fresh once written, and written again they are the same", () => {
    expect(generate("--check")).toEqual({ status: 0, said: "Generated pages are fresh.\n" });
    expect(generate().said).toBe("Generated pages are fresh.\n");
  });

  it.each([
    ["docs/settings.md", /DATABASE_URL/],
    ["docs/errors.md", /issuer_unreachable/],
    ["docs/providers/file.md", /REKEY_FILE_ROOTS/],
    ["docs/providers/README.md", /postgres-role/],
    ["docs/manifests.schema.json", /"secretFrom"/],
    ["ARCHITECTURE.md", /vocabulary and every decision/],
  ])("are found stale after a change by hand: %s", (path, from) => {
    change(path, from, "changed");
    const { status, said } = generate("--check");
    expect(status).toBe(1);
    expect(said).toContain(`Stale: ${path}.`);
  });

  it("are found stale when one is gone", () => {
    rmSync(join(root, "docs", "settings.md"));
    expect(generate("--check").said).toContain("Stale: docs/settings.md.");
  });

  it("leave what people wrote in ARCHITECTURE.md alone", () => {
    change("ARCHITECTURE.md", /# Architecture\n/, "# Architecture\n\nA sentence of ours.\n");
    expect(generate("--check").status).toBe(0);
  });

  it("refuse an ARCHITECTURE.md that has lost the place of its table", () => {
    change("ARCHITECTURE.md", /<!-- end of the import table -->/, "");
    expect(generate().status).not.toBe(0);
  });
});
