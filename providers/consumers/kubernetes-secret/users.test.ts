import { expect, test } from "vitest";
import type { PodSpec } from "./objects.ts";
import { unreadBy } from "./users.ts";

const asked = { secret: "orders", keys: ["DB_USER", "DB_PASSWORD"] };
const fromEnv = (name: string, key: string): PodSpec => ({
  containers: [{ env: [{ valueFrom: { secretKeyRef: { name, key } } }] }],
});

test.each<[string, PodSpec]>([
  ["one key in env", fromEnv("orders", "DB_PASSWORD")],
  ["envFrom", { containers: [{ envFrom: [{ secretRef: { name: "orders" } }] }] }],
  ["a container that runs before", { initContainers: [{ envFrom: [{ secretRef: { name: "orders" } }] }] }],
  ["a volume of all keys", { volumes: [{ secret: { secretName: "orders" } }] }],
  ["a volume of one key", { volumes: [{ secret: { secretName: "orders", items: [{ key: "DB_USER" }] } }] }],
  ["a projected volume", { volumes: [{ projected: { sources: [{}, { secret: { name: "orders" } }] } }] }],
])("%s reads the keys", (_, spec) => {
  expect(unreadBy("Deployment/orders", spec, asked)).toBeUndefined();
});

const lead = "Deployment/orders does not read any of the keys DB_USER, DB_PASSWORD of Secret orders";
const how = "(no env, envFrom or volume)";

test.each<[string, PodSpec, string]>([
  ["another Secret", fromEnv("orders-db", "DB_PASSWORD"), "It reads Secret orders-db. Is the name right?"],
  ["another key of it", fromEnv("orders", "DB_PASS"), "It reads other keys of it. Are the keys right?"],
  [
    "a volume of other keys",
    { volumes: [{ secret: { secretName: "orders", items: [{ key: "ca.pem" }] } }] },
    "It reads other keys of it. Are the keys right?",
  ],
  [
    "images pulled with it, which reads a key of its own",
    { imagePullSecrets: [{ name: "orders" }] },
    "It reads other keys of it. Are the keys right?",
  ],
  ["nothing", {}, "It reads no other Secret. Is the name right?"],
])("%s does not", (_, spec, says) => {
  expect(unreadBy("Deployment/orders", spec, asked)).toBe(`${lead} ${how}. ${says}`);
});

test("images are pulled with the key that is for that", () => {
  const keys = [".dockerconfigjson"];
  expect(unreadBy("Deployment/orders", { imagePullSecrets: [{ name: "orders" }] }, { ...asked, keys })).toBeUndefined();
});
