import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { needs } from "../harness/needs.ts";
import { openSecrets, unknownSettings, wrongCommand } from "./settings-names.ts";

const folder = join(import.meta.dirname, "..", "..", "deploy", "systemd");
const units = ["rekey-serve.service", "rekey-worker@.service"] as const;
const read = (name: string): string => readFileSync(join(folder, name), "utf8");
const hasAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0;

/** The lines `key=value` of a unit or a file of settings. */
const linesOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => /^[A-Za-z]\w*=/.test(line))
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const);

describe.each(units)("%s", (unit) => {
  const lines = linesOf(read(unit));
  const all = (key: string) => lines.filter(([name]) => name === key).map(([, value]) => value);

  it("starts a command that there is, again and again, as a user of its own", async () => {
    const [start = ""] = all("ExecStart");
    expect(await wrongCommand(start.split(" ").slice(1))).toBeUndefined();
    expect(all("Restart")).toEqual(["always"]);
    expect(all("User")).toEqual(["rekey"]);
  });

  it("names settings that there are, and every secret by a file that systemd lends", () => {
    const files = all("EnvironmentFile").map((path) => path.split("/").at(-1) ?? "");
    const given = [
      ...all("Environment"),
      ...files.flatMap((file) => linesOf(read(file)).map((pair) => pair.join("="))),
    ];
    const names = given.map((text) => text.split("=")[0] ?? "");
    expect(names.length).toBeGreaterThan(5);
    expect(unknownSettings(names)).toEqual([]);
    expect(openSecrets(names)).toEqual([]);
    const lent = all("LoadCredential").map((text) => text.split(":")[0]);
    const used = given.flatMap((text) => /=%d\/(\S+)$/.exec(text)?.[1] ?? []);
    expect(new Set(used)).toEqual(new Set(lent));
    expect(used).toContain("database-url");
  });

  it("may do little on the machine", () => {
    expect(Object.fromEntries(lines)).toMatchObject({
      ...{ NoNewPrivileges: "yes", ProtectSystem: "strict", ProtectHome: "yes", PrivateTmp: "yes" },
      ...{ CapabilityBoundingSet: "", UMask: "0077" },
    });
  });

  it("is a unit that systemd takes", (context) => {
    needs(context, hasAnalyze, "there is no systemd-analyze here");
    const side = mkdtempSync(join(tmpdir(), "rk-unit-"));
    try {
      // Where the program is installed is the operator's; the rest is as it is.
      const text = read(unit).replace("/usr/local/bin/rekey", JSON.stringify(process.execPath));
      const path = join(side, unit.replace("@", "@1"));
      writeFileSync(path, text);
      const { stderr, status } = spawnSync("systemd-analyze", ["verify", "--man=no", path], { encoding: "utf8" });
      const said = stderr.split("\n").filter((line) => line.includes(side) || line.includes("rekey"));
      expect({ said, status }).toEqual({ said: [], status: 0 });
      writeFileSync(path, text.replace("ProtectSystem=strict", "ProtectSystem=strickt"));
      const wrong = spawnSync("systemd-analyze", ["verify", "--man=no", path], { encoding: "utf8" });
      expect(wrong.stderr).toContain("strickt");
    } finally {
      rmSync(side, { recursive: true });
    }
  });
});
