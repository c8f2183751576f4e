import { expect, test } from "vitest";
import { catalog } from "../providers/catalog.ts";

const keys = (...names: readonly string[]) => Object.fromEntries(names.map((name) => [name, "password"]));
const file = (format: string, ...names: readonly string[]) => ({ path: "/srv/a", format, keys: keys(...names) });
const aws = (...names: readonly string[]) => ({ secret: "shop/a", keys: keys(...names) });
const vault = (...names: readonly string[]) => ({ mount: "secret", path: "shop/a", keys: keys(...names) });
const kubernetes = (...names: readonly string[]) => ({ namespace: "shop", secret: "a", keys: keys(...names) });

test.each([
  ["file", file("dotenv", "A", "B"), file("dotenv", "B", "C"), ["B"]],
  ["file", file("dotenv", "A"), file("dotenv", "AB"), []],
  ["file", file("json", "db.user"), file("json", "db.password"), []],
  ["file", file("json", "db"), file("yaml", "db.password"), ["db"]],
  ["file", file("json", "db.password"), file("json", "db"), ["db.password"]],
  ["file", file("raw", "value"), file("raw", "other"), ["the whole file"]],
  ["aws-secrets-manager", aws("user", "password"), aws("password"), ["password"]],
  ["aws-secrets-manager", aws("user"), aws("password"), []],
  ["aws-secrets-manager", aws("user"), { secret: "shop/a", whole: "password" }, ["the whole secret"]],
  ["vault-kv", vault("user", "password"), vault("password"), ["password"]],
  ["vault-kv", vault("db"), vault("db.password"), []],
  ["kubernetes-secret", kubernetes("user", "password"), kubernetes("password"), ["password"]],
  ["kubernetes-secret", kubernetes("user"), kubernetes("password"), []],
])("what two %s registrations of one target would both write", (kind, one, other, shared) => {
  const definition = catalog.consumers[kind];
  const [mine, theirs] = [one, other].map((config) => definition?.configSchema.parse(config));
  expect(definition?.sharedKeys?.(mine, theirs)).toEqual(shared);
});
