import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it } from "vitest";

let root: string;

/** A tool of that name which says something and ends with a code. */
function tool(name: string, code: number, says: string): void {
  const path = join(root, "node_modules", ".bin", name);
  writeFileSync(path, `#!/bin/sh\necho "${says} $*"\nexit ${code}\n`);
  chmodSync(path, 0o755);
}

function check(...parts: string[]): { readonly status: number | null; readonly said: string } {
  const program = join(root, "scripts", "check.mjs");
  const env = { PATH: [dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter) };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...parts], { encoding: "utf8", env });
  return { status, said: stdout + stderr };
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "rekey-check-"));
  mkdirSync(join(root, "scripts"));
  mkdirSync(join(root, "node_modules", ".bin"), { recursive: true });
  cpSync(fileURLToPath(new URL("check.mjs", import.meta.url)), join(root, "scripts", "check.mjs"));
  for (const name of ["oxfmt", "oxlint", "tsc", "knip", "vitest"]) tool(name, 0, "nothing wrong:");
  writeFileSync(join(root, "scripts", "generate.mjs"), "");
  return () => rmSync(root, { recursive: true });
});

describe("npm run check", () => {
  it("runs every part, a line each, and keeps back what the good ones said", () => {
    const { status, said } = check();
    expect(said.match(/^ok .*$/gm)).toHaveLength(7);
    expect(said).not.toContain("nothing wrong");
    expect(status).toBe(0);
  });

  it.each(["oxfmt", "oxlint", "tsc", "knip", "vitest"])("fails when %s does, with all that it said", (name) => {
    tool(name, 1, "something wrong:");
    const { status, said } = check();
    expect(said).toMatch(/^FAILED/m);
    expect(said).toMatch(/^something wrong:/m);
    expect(said).not.toContain("nothing wrong");
    expect(status).toBe(1);
  });

  it("fails when a generated page is stale", () => {
    writeFileSync(
      join(root, "scripts", "generate.mjs"),
      "process.exitCode = process.argv.includes('--check') ? 1 : 0;",
    );
    expect(check().status).toBe(1);
  });

  it("says what to run when a tool is not there", () => {
    rmSync(join(root, "node_modules", ".bin", "oxfmt"));
    const { status, said } = check("format");
    expect(said).toContain("Run 'node scripts/setup.mjs' first.");
    expect(status).toBe(1);
  });

  it("runs only the parts that are asked for, and refuses one that is none", () => {
    expect(check("types", "format").said.match(/^ok .*$/gm)).toHaveLength(2);
    expect(check("speling")).toMatchObject({ status: 2 });
  });
});
