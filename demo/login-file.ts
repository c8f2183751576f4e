import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import type { Login } from "./orders-cluster.ts";

/** Keys of the order service's dotenv file. rekey is told of the first two only. */
export const loginKeys = { user: "DB_USER", password: "DB_PASSWORD" } as const;

/** Reads the login from the service's dotenv file; throws when a key is missing. */
export async function readLogin(file: string): Promise<Login> {
  const found = parseEnv(await readFile(file, "utf8"));
  const get = (key: string): string => {
    const value = found[key];
    if (value === undefined || value === "") throw new Error(`${key} is missing in ${file}.`);
    return value;
  };
  return {
    host: get("DB_HOST"),
    port: Number(get("DB_PORT")),
    database: get("DB_NAME"),
    user: get(loginKeys.user),
    password: get(loginKeys.password),
  };
}

/** Writes the whole file anew, as the shop's own people would have. Nobody sees it half written. */
export async function writeLogin(file: string, login: Login): Promise<void> {
  const text = [
    "# settings of the order service",
    `DB_HOST=${login.host}`,
    `DB_PORT=${login.port}`,
    `DB_NAME=${login.database}`,
    `${loginKeys.user}=${login.user}`,
    `${loginKeys.password}=${login.password}`,
    "CURRENCY=EUR   # not rekey's business",
    "",
  ].join("\n");
  const side = `${file}.${randomBytes(4).toString("hex")}`;
  await writeFile(side, text, { mode: 0o600 });
  await rename(side, file);
}
