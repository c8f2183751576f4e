import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { rekey } from "../test/harness/cli.ts";
import { exitCodes, exitMeanings } from "./exit-codes.ts";

const nowhere = { env: { REKEY_HOME: "/nowhere/rekey" } };

describe("a command that cannot be understood", () => {
  const wrong: readonly (readonly [string, readonly string[], string, string])[] = [
    ["an unknown command", ["rotation", "shwo"], "unknown command 'shwo' (Did you mean show?)", "rekey rotation --help"],
    ["an unknown option", ["rotation", "show", "--bad"], "unknown option '--bad'", "rekey rotation show --help"],
    ["a missing argument", ["rotate"], "rekey rotate needs <credential>: team/name", "rekey rotate --help"],
    ["a missing option", ["apply"], "rekey apply needs -f, --file <file>: a manifest, a folder", "rekey apply --help"],
    ["too many rows", ["audit", "list", "--limit", "501"], "a whole number from 1 to 500", "rekey audit list --help"],
    ["rows that are no number", ["credential", "list", "--limit", "x"], "from 1 to 500", "rekey credential list --help"],
    ["a group alone", ["credential"], "rekey credential needs a command", "Add one of list, show, adopt"],
  ]; // prettier-ignore
  it.each(wrong)("%s is told with what to do next, and ends with 2", async (_, words, what, next) => {
    const { code, out, err } = await rekey(words, nowhere);
    expect([code, out]).toEqual([exitCodes.usage, ""]);
    expect(err).toMatch(/^rekey: /m);
    expect(err).toContain(what);
    expect(err.slice(err.indexOf("Next: "))).toContain(next);
  });

  it.each(wrong)("%s is one line of JSON with --json", async (_, words, what, next) => {
    const { code, err } = await rekey([...words, "--json"], nowhere);
    expect(code).toBe(exitCodes.usage);
    expect(JSON.parse(err)).toMatchObject({
      error: { code: "usage", title: expect.stringContaining(what), next: expect.stringContaining(next) },
    });
  });
});

describe("exit codes", () => {
  it("stand in the help and in docs/operating.md, each of them", async () => {
    const { out, code } = await rekey(["--help"], nowhere);
    const page = await readFile(new URL("../docs/operating.md", import.meta.url), "utf8");
    expect(code).toBe(0);
    for (const number of Object.values(exitCodes)) {
      expect(out).toContain(exitMeanings[number]);
      expect(page).toMatch(new RegExp(`^\\| \`${number}\` +\\| ${exitMeanings[number]} *\\|$`, "m"));
    }
  });

  it("are 2 for a setting of a program that was started", async () => {
    const { code, err } = await rekey(["migrate", "--json"], nowhere);
    expect(code).toBe(exitCodes.usage);
    expect(JSON.parse(err)).toMatchObject({ error: { code: "setting_invalid" } });
  });
});

it("rekey --version says the release of package.json", async () => {
  const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as {
    readonly version: string;
  };
  expect(await rekey(["--version"], nowhere)).toEqual({ code: 0, out: `${version}\n`, err: "" });
});
