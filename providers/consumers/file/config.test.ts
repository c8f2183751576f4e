import { describe, expect, it } from "vitest";
import { configSchema, modeOf } from "./config.ts";

const good = { path: "/srv/app/app.env", format: "dotenv", keys: { PASSWORD: "password" } };

describe("a registration", () => {
  it.each([
    good,
    { ...good, mode: "0640", reload: "app" },
    { ...good, mode: "400" },
    { ...good, format: "json", keys: { "db.password": "password", "db.user": "username" } },
    { ...good, format: "yaml", keys: { password: "password" } },
    { ...good, format: "raw", keys: { value: "password" } },
  ])("is taken: %j", (config) => {
    expect(configSchema.parse(config)).toEqual(config);
  });

  it.each([
    ["a relative path", { path: "app.env" }],
    ["a path with dots", { path: "/srv/app/../app.env" }],
    ["a path with double slashes", { path: "/srv//app.env" }],
    ["a path that ends with a slash", { path: "/srv/app/" }],
    ["the root folder", { path: "/" }],
    ["a path with a NUL", { path: "/srv/app\0.env" }],
    ["a path with a line end", { path: "/srv/app\n.env" }],
    ["a side file", { path: "/srv/.app.env.rekey" }],
    ["a staged file", { path: "/srv/.app.env.rekey.1-2-aa.value" }],
    ["an unknown format", { format: "toml" }],
    ["no keys", { keys: {} }],
    ["an empty key", { keys: { "": "password" } }],
    ["an empty field", { keys: { PASSWORD: "" } }],
    ["a dotenv key that is no name", { keys: { "A B": "password" } }],
    ["a dotenv key with a line end", { keys: { "A\nB": "password" } }],
    ["two keys in raw", { format: "raw", keys: { a: "password", b: "username" } }],
    ["a JSON key with an empty name", { format: "json", keys: { "a..b": "password" } }],
    ["JSON keys inside each other", { format: "json", keys: { a: "password", "a.b": "username" } }],
    ["a mode that is no octal text", { mode: "0999" }],
    ["a mode that is a number", { mode: 384 }],
    ["a mode that lets others write", { mode: "0622" }],
    ["a mode that nobody can read", { mode: "0200" }],
    ["a mode with special bits", { mode: "4600" }],
    ["an empty reload", { reload: "" }],
    ["a word that is none of ours", { owner: "root" }],
  ])("is refused for %s", (_name, change) => {
    expect(configSchema.safeParse({ ...good, ...change }).success).toBe(false);
  });

  it("means 0600 when it names no mode", () => {
    expect(modeOf(configSchema.parse(good))).toBe(0o600);
    expect(modeOf(configSchema.parse({ ...good, mode: "0640" }))).toBe(0o640);
  });
});
