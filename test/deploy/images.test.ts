import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { installCommand, packCommand } from "../external/installed-package.ts";
import { openSecrets, unknownSettings, wrongCommand } from "./settings-names.ts";

const tree = join(import.meta.dirname, "..", "..");
const read = (path: string): string => readFileSync(join(tree, path), "utf8");

describe("the Dockerfile", () => {
  const lines = read("deploy/Dockerfile")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const after = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const list = (text: string) => JSON.parse(text) as readonly string[];

  it("builds, packs and installs by the commands that the package is tested with", () => {
    const runs = after("RUN");
    expect(runs).toContain("npm ci");
    expect(runs).toContain([...packCommand, "/tmp"].join(" "));
    expect(runs).toContain(installCommand.join(" "));
    const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: Readonly<Record<string, string>> };
    for (const run of runs) {
      const [, script] = /^npm run (\S+)/.exec(run) ?? [];
      if (script !== undefined) expect(Object.keys(scripts)).toContain(script);
    }
  });

  it("copies only what is there, and nothing that it leaves out of its context", () => {
    const copied = after("COPY").filter((line) => !line.startsWith("--from"));
    const sources = copied.flatMap((line) => line.split(" ").slice(0, -1));
    expect(sources).toContain("scripts/healthcheck.mjs");
    for (const source of sources) expect(existsSync(join(tree, source)), source).toBe(true);
    const left = read(".dockerignore").split("\n");
    expect(left).toEqual(expect.arrayContaining(["node_modules", ".git", "dist"]));
    expect(
      left.filter((line) => sources.some((source) => source !== "." && source.startsWith(line) && line !== "")),
    ).toEqual([]);
  });

  it("runs commands that there are, as a user that is not root, with no secret in the environment", async () => {
    const stages = after("FROM").map((line) => line.split(" AS ")[1]);
    expect(stages).toEqual(["package", "installed", "worker", "serve"]);
    expect(after("USER")).toEqual([expect.stringMatching(/^[1-9]\d+:[1-9]\d+$/)]);
    for (const command of after("CMD")) expect(await wrongCommand(list(command))).toBeUndefined();
    const names = after("ENV").map((line) => line.split("=")[0] ?? "");
    expect(unknownSettings(names)).toEqual([]);
    expect(openSecrets(names)).toEqual([]);
  });

  it("knows a setting that is none and a command that is none", async () => {
    expect(unknownSettings(["REKEY_HOME", "REKEY_HOUSE"])).toEqual(["REKEY_HOUSE"]);
    expect(openSecrets(["DATABASE_URL", "DATABASE_URL_FILE"])).toEqual(["DATABASE_URL"]);
    expect(await wrongCommand(["workers"])).toContain("no command");
    expect(await wrongCommand(["migrate", "--grant"])).toContain("has no --grant");
  });
});

describe("the look at itself of a serving container", () => {
  let close: (() => void) | undefined;
  afterEach(() => close?.());

  async function lookAt(status: number | undefined): Promise<number> {
    const asked: (string | undefined)[] = [];
    const server = createServer(({ url }, answer) => {
      asked.push(url);
      answer.writeHead(status ?? 500).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    if (status === undefined) server.close();
    else close = () => server.close();
    const child = spawn(process.execPath, [join(tree, "scripts", "healthcheck.mjs")], {
      env: { REKEY_LISTEN: `0.0.0.0:${port}` },
      stdio: "ignore",
    });
    const [code] = (await once(child, "exit")) as [number];
    if (status !== undefined) expect(asked).toEqual(["/api/v1/health"]);
    return code;
  }

  it("ends well only when the API says that it is", async () => {
    expect(await lookAt(200)).toBe(0);
    expect(await lookAt(503)).toBe(1);
    expect(await lookAt(undefined)).toBe(1);
  });
});
