import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const program = fileURLToPath(new URL("program.mjs", import.meta.url));
const disk = new URL("disk.mjs", import.meta.url).href;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rekey-exec-example-"));
  path = join(folder, "orders.json");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** One request, with nothing in the environment, as the worker makes it. */
function ask(more: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const input = JSON.stringify({ protocol: 1, id: "1", target: "orders", fields: ["password"], key: "k", ...more });
  const { stdout } = spawnSync(process.execPath, [program, folder], { input, env: {}, encoding: "utf8" });
  return JSON.parse(stdout) as Record<string, unknown>;
}
const deliver = (number: number, password: string) =>
  ask({ action: "deliver", version: number, number: { epoch: 1, number }, value: { password } });

/** Another program that has the lock until it is ended. */
async function holdLock() {
  const script = `import { disk } from ${JSON.stringify(disk)}; disk.lock(process.argv[1]); console.log("held"); setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  return async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
}

test("a delivery writes nothing while another has the turn, and the turn ends with whoever had it", async () => {
  writeFileSync(path, '{ "password": "before" }');
  const end = await holdLock();
  try {
    expect(deliver(1, "next")).toEqual({ protocol: 1, id: "1", error: "target_unreachable" });
    expect(readFileSync(path, "utf8")).toBe('{ "password": "before" }');
    expect(ask({ action: "observe" })).toMatchObject({ isEmpty: false });
  } finally {
    await end();
  }
  expect(deliver(1, "next")).toMatchObject({ digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ password: "next" });
});

test("no request reaches a place outside of the folder, nor one of a later protocol anything", () => {
  for (const target of ["../orders", "a/b", "..", "", "orders.json", "ORDERS"])
    expect(ask({ action: "deliver", target, number: { epoch: 1, number: 1 }, value: { password: "x" } })).toMatchObject(
      {
        error: "target_refused",
      },
    );
  expect(ask({ action: "observe", protocol: 2 })).toMatchObject({ error: "target_refused" });
  expect(readdirSync(folder)).toEqual([]);
});

test("what a stopped program left staged is no hindrance", () => {
  for (const name of ["orders.json.staged", "orders.json.number.staged"]) writeFileSync(join(folder, name), "left");
  expect(deliver(1, "next")).toHaveProperty("digest");
  expect(readdirSync(folder).toSorted()).toEqual(["orders.json", "orders.json.lock", "orders.json.number"]);
});
