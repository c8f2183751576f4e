import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, symlink } from "node:fs/promises";
import { existsSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const tree = join(import.meta.dirname, "..");
const execute = promisify(execFile);
let prefix: string;
let installed: string;
let files: string[];

/** The package as npm packs it, laid out as npm installs it; its dependencies are those of this tree. */
beforeAll(async () => {
  prefix = await mkdtemp(join(tmpdir(), "rekey-package-"));
  installed = join(prefix, "node_modules", "rekey");
  await mkdir(installed, { recursive: true });
  const { stdout } = await execute("npm", ["pack", "--silent", "--pack-destination", prefix], { cwd: tree });
  const tarball = join(prefix, stdout.trim().split("\n").at(-1) ?? "");
  await execute("tar", ["-xzf", tarball, "-C", installed, "--strip-components=1"]);
  for (const name of await readdir(join(tree, "node_modules")))
    if (name !== "rekey") await symlink(join(tree, "node_modules", name), join(prefix, "node_modules", name));
  const entries = await readdir(installed, { recursive: true, withFileTypes: true });
  files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
});

afterAll(() => rm(prefix, { recursive: true, force: true }));

test("the package holds the program, its set-up and its pages", () => {
  const needed = [
    "bin/rekey",
    "dist/cli/main.js",
    "dist/workflows.bundle.js",
    "dist/ledger/migrations/0001-base.sql",
    "scripts/setup.mjs",
    "scripts/setup/node.mjs",
    "scripts/temporal/go.mod",
    "scripts/temporal/go.sum",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
  ];
  expect(needed.filter((file) => !files.includes(file))).toEqual([]);
});

test("the package holds no sources, tests, keys or logs", () => {
  const strange =
    /\.test\.|(^|\/)(test|fixtures|node_modules|\.git)\/|\.ts$|\.log$|\.tgz$|(^|\/)(token|.*\.pem|\.env)$/;
  expect(files.filter((file) => strange.test(file))).toEqual([]);
  expect(new Set(files.map((file) => file.split("/")[0]))).toEqual(
    new Set(["CHANGELOG.md", "LICENSE", "README.md", "bin", "dist", "docs", "examples", "package.json", "scripts"]),
  );
});

test("the package tells nothing of the machine it was made on, and has no failpoint", async () => {
  const places = [tree, ...(homedir().length > 5 ? [homedir()] : [])];
  for (const file of files) {
    const text = await readFile(join(installed, file), "utf8");
    expect(
      places.filter((place) => text.includes(place)),
      file,
    ).toEqual([]);
    if (file.startsWith("dist/")) expect(/failpoint\s*\(|failpoint\.js/i.test(text), file).toBe(false);
  }
  expect(files.filter((file) => /failpoint/.test(file))).toEqual([]);
});

test("the source map of the bundled workflows tells nothing either", async () => {
  const bundle = await readFile(join(installed, "dist", "workflows.bundle.js"), "utf8");
  const [, map = ""] = /sourceMappingURL=data:application\/json;charset=utf-8;base64,([\w+/=]+)/.exec(bundle) ?? [];
  const text = Buffer.from(map, "base64").toString("utf8");
  expect(text).toContain("rotate-credential");
  expect(text).not.toContain(tree);
});

test("the installed program answers, though Node strips no types there", async () => {
  const { stdout } = await execute(process.execPath, [join(installed, "bin", "rekey"), "--help"], {
    env: { PATH: "/usr/bin:/bin", HOME: prefix },
  });
  expect(stdout).toMatch(/usage: rekey/i);
  expect(existsSync(join(prefix, ".rekey"))).toBe(false);
});
