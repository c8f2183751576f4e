import { generateKeyPairSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { newFolder, rekey } from "../test/harness/cli.ts";

const example = (name: string) => fileURLToPath(new URL(`../docs/receipts/${name}`, import.meta.url));
const key = example("example-key.md");

describe("rekey receipt verify", () => {
  let folder: string;
  const file = async (name: string, text: string) => {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  };
  const verify = async (...args: readonly string[]) =>
    rekey(["receipt", "verify", ...args], { env: { REKEY_HOME: join(folder, "none") } });

  beforeAll(async () => {
    folder = await newFolder();
  });

  it("says with one line of JSON what is wrong, and ends with 1", async () => {
    const text = (await readFile(example("example.json"), "utf8")).replace('"28P01"', '"28P02"');
    const { code, out, err } = await verify("--json", "--key", key, await file("changed.json", text));
    expect([code, err]).toEqual([1, ""]);
    expect(JSON.parse(out)).toMatchObject({ ok: false, faults: [{ at: "/receipt/deaths/0/code" }] });
  });

  it("takes several keys, so that receipts from before and after a key was replaced verify alike", async () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    const other = await file(
      "other.pem",
      `Key-Id: sig_00\n${String(publicKey.export({ format: "pem", type: "spki" }))}`,
    );
    expect(await verify("--key", other, "--key", key, example("example.json"))).toMatchObject({ code: 0 });
    const { code, out } = await verify("--key", other, example("example.json"));
    expect(code).toBe(1);
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "those given are sig_00. Give that key too, if you trust it: rekey audit key",
    );
  });

  it("ends with 2 and says what to do when file or key cannot be used, and never takes a private key", async () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const own = await file("own.pem", String(privateKey.export({ format: "pem", type: "pkcs8" })));
    const cases: readonly [readonly string[], string][] = [
      [[example("example.json")], "--key"],
      [["--key", key], "needs <file>"],
      [["--key", key, join(folder, "nothing")], "There is no file"],
      [["--key", join(folder, "nothing"), example("example.json")], "rekey audit key > FILE"],
      [["--key", own, example("example.json")], "holds a private key"],
      [["--key", example("example.json"), example("example.json")], "holds no public Ed25519 key"],
    ];
    for (const [args, said] of cases) {
      const { code, err } = await verify(...args);
      expect([said, code, err.includes(said)]).toEqual([said, 2, true]);
    }
  });
});
