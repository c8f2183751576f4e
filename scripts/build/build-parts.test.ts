import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

/** The scripts are plain JavaScript without types; these are what they promise. */
const load = async <T>(name: string): Promise<T> => (await import(new URL(name, import.meta.url).href)) as T;
const { withoutPlaces } = await load<{ withoutPlaces(code: string, place: string): string }>("bundle-workflows.mjs");
const { faultsIn } = await load<{ faultsIn(dist: string): Promise<string[]> }>("inspect.mjs");
const { isFailpointModule, withoutFailpoints } = await load<{
  isFailpointModule(file: string): boolean;
  withoutFailpoints(text: string): string;
}>("failpoints.mjs");

let dist: string;

beforeEach(async () => {
  dist = await mkdtemp(join(tmpdir(), "rekey-dist-"));
});

afterEach(() => rm(dist, { recursive: true, force: true }));

async function put(files: Record<string, string>): Promise<string[]> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dist, name)), { recursive: true });
    await writeFile(join(dist, name), text);
  }
  return faultsIn(dist);
}

test("calls of failpoints go with their import, whatever their name and arguments", () => {
  const text = [
    'import { failpoint, armFailpoint as arm } from "../activities/failpoint.js";',
    'import { keep } from "./keep.js";',
    "arm(settings.failpoint);",
    'failpoint("issue", "B1");',
    '    await failpoint(`${step(one)}-one`, ("B2"));',
    'const after = () => failpoint("x", "B3");',
    "failpoints(1); my_failpoint(2);",
  ].join("\n");
  expect(withoutFailpoints(text).split("\n")).toEqual([
    'import { keep } from "./keep.js";',
    "const after = () => void 0;",
    "failpoints(1); my_failpoint(2);",
  ]);
});

test("a module without failpoints stays as it is", () => {
  const text = 'failpoint("mine", "B1"); // this one is its own function\n';
  expect(withoutFailpoints(text)).toBe(text);
});

test("a failpoint module is known by its name", () => {
  expect(
    ["activities/failpoint.js", "failpoint.ts", "activities/failpoint-list.js"].map((file) => isFailpointModule(file)),
  ).toEqual([true, true, false]);
});

test("the bundle forgets where it was made, in its source map too", () => {
  const mark = "//# sourceMappingURL=data:application/json;charset=utf-8;base64,";
  const encode = (text: string) => Buffer.from(text).toString("base64");
  const code = `at("/home/me/rekey/a.js");\n${mark}${encode('{"sources":["/home/me/rekey/a.js"]}')}\nend`;
  expect(withoutPlaces(code, "/home/me/rekey")).toBe(
    `at("/rekey/a.js");\n${mark}${encode('{"sources":["/rekey/a.js"]}')}\nend`,
  );
});

test("a sound dist has no faults", async () => {
  const files = { "a.js": 'import "./b.js"; import pg from "pg"; import { join } from "node:path";', "b.js": "" };
  expect(await put(files)).toEqual([]);
});

test.each([
  ["an import that is not published", 'import "./gone.js";', "imports ./gone.js, which is not published"],
  ["one loaded on first use", 'await import("./gone.js");', "imports ./gone.js, which is not published"],
  ["a tool", 'import { test } from "vitest";', "imports vitest, which is not in package.json's dependencies"],
  ["a scoped tool", 'import "@temporalio/testing";', "imports @temporalio/testing, which"],
  ["the name of a source file", 'start("./order-service.ts");', "names ./order-service.ts; end it with extname"],
  ["this tree's path", `const at = "${join(import.meta.dirname, "..", "..")}";`, "holds the path of this source tree"],
  ["a failpoint", 'deps.failpoint("issue", "B1");', "a failpoint is left"],
])("a dist is refused for %s", async (_, text, fault) => {
  expect((await put({ "a.js": text })).join("\n")).toContain(`a.js: ${fault}`);
});
