import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const setup = join(import.meta.dirname, "..", "..", "scripts", "setup.mjs");

/** A program of a server that the set-up's step got; undefined where it has not. Gets nothing by itself. */
export function foundServer(
  step: "kubernetes" | "vault" | "moto" | "temporal-server",
  ...program: readonly string[]
): string | undefined {
  try {
    const where = [setup, `--only=${step}`, "--where=found"];
    const said = execFileSync(process.execPath, where, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const folder = said.trim();
    const path = join(folder, ...program);
    return folder !== "" && existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
