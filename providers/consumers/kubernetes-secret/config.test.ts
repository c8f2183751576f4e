import { expect, test } from "vitest";
import { configSchema, restarts, workloadsOf } from "./config.ts";
import { kubernetes } from "./connection.ts";
import { kubernetesSecret } from "./definition.ts";
import { rightsOf, rulesFor, wordsFor, yamlOf } from "./rights.ts";
import { needsRoom } from "./rollout.ts";
import { uses } from "./users.ts";

const base = { namespace: "shop", secret: "orders", keys: { PASSWORD: "password" } };
const faults = (
  schema: { safeParse(value: unknown): { error?: { issues: { message: string }[] } | undefined } },
  value: unknown,
) => schema.safeParse(value).error?.issues.map(({ message }) => message) ?? [];

test("a registration names a namespace, a Secret, keys and workloads", () => {
  const config = configSchema.parse({ ...base, workloads: ["Deployment/orders", "CronJob/report"] });
  expect(workloadsOf(config)).toEqual([
    { kind: "Deployment", name: "orders" },
    { kind: "CronJob", name: "report" },
  ]);
  expect(restarts(config)).toBe(true);
  expect(restarts({ ...config, restart: false })).toBe(false);
  expect(restarts(base)).toBe(false);
});

test.each([
  [{ namespace: "Shop" }, "must be the name of a namespace"],
  [{ namespace: "../kube-system" }, "must be the name of a namespace"],
  [{ secret: "a/b" }, "must be the name of a Secret"],
  [{ keys: { "a b": "password" } }, "Invalid key in record"],
  [{ keys: {} }, "must name at least one key"],
  [{ workloads: ["orders"] }, "such as Deployment/orders"],
  [{ workloads: ["Pod/orders"] }, "the kinds are Deployment, StatefulSet, DaemonSet, CronJob"],
  [{ workloads: ["Deployment/../x"] }, "such as Deployment/orders"],
  [{ workloads: ["Deployment/a", "Deployment/a"] }, "must name each workload once"],
])("%j is refused: %s", (change, message) => {
  expect(faults(configSchema, { ...base, ...change }).join()).toContain(message);
});

test.each([
  "http://cluster:6443",
  "https://cluster:6443/api",
  "https://user:word@cluster:6443",
  "https://cluster:6443/?x=1",
  "cluster",
])("the server %s is refused", (server) => {
  expect(faults(kubernetes.connectionSchema, { server, ca: "x", namespaces: {} })[0]).toContain("https://HOST:PORT");
});

test("an authority that is no PEM is refused", () => {
  const said = faults(kubernetes.connectionSchema, { server: "https://c", ca: "LS0tLS1CRUdJTg==", namespaces: {} });
  expect(said.join()).toContain("-----BEGIN CERTIFICATE-----");
});

test("a team may use the namespaces that the connection lists for it, and no other's", () => {
  const settings = { server: "https://c:6443", ca: "", namespaces: { shop: ["shop"], pay: ["pay"] } };
  const refusal = (team: string) => kubernetesSecret.refuses?.(settings, base, team);
  expect(refusal("shop")).toBeUndefined();
  expect(refusal("pay")).toContain("lets team pay use only pay");
  expect(refusal("constructor")).toContain("lets team constructor use no namespace");
  expect(kubernetesSecret.targetOf(base, settings)).toBe("kubernetes-secret:c:6443/shop/orders");
});

test("without workloads one Secret is all that it may touch", () => {
  expect(rulesFor(base).flatMap(rightsOf).map(wordsFor)).toEqual(["get secrets orders", "patch secrets orders"]);
});

test("the rules are what a Role holds", () => {
  const config = configSchema.parse({ ...base, workloads: ["Deployment/orders", "Deployment/reports"] });
  expect(rulesFor(config).map(yamlOf).slice(0, 2).join("\n")).toBe(`  - apiGroups: [""]
    resources: [secrets]
    resourceNames: ["orders"]
    verbs: [get, patch]
  - apiGroups: ["apps"]
    resources: [deployments]
    resourceNames: ["orders", "reports"]
    verbs: [get, patch]`);
});

test.each([
  [{ containers: [{ envFrom: [{ secretRef: { name: "orders" } }] }] }, true],
  [{ containers: [{ env: [{ valueFrom: { secretKeyRef: { name: "orders", key: "PASSWORD" } } }] }] }, true],
  [{ containers: [{ env: [{ valueFrom: { secretKeyRef: { name: "orders", key: "OTHER" } } }] }] }, false],
  [{ initContainers: [{ envFrom: [{ secretRef: { name: "orders" } }] }] }, true],
  [{ volumes: [{ secret: { secretName: "orders" } }] }, true],
  [{ volumes: [{ secret: { secretName: "orders", items: [{ key: "OTHER" }] } }] }, false],
  [{ volumes: [{ projected: { sources: [{ secret: { name: "orders" } }] } }] }, true],
  [{ imagePullSecrets: [{ name: "orders" }] }, true],
  [{ containers: [{ envFrom: [{ secretRef: { name: "another" } }] }] }, false],
])("a pod with %j reads our key: %s", (spec, isUser) => {
  expect(uses(spec, { secret: "orders", keys: ["PASSWORD"] })).toBe(isUser);
});

test.each([
  [{ replicas: 2 }, true],
  [{ replicas: 4 }, false],
  [{ replicas: 2, strategy: { rollingUpdate: { maxUnavailable: 1 } } }, false],
  [{ replicas: 2, strategy: { rollingUpdate: { maxUnavailable: 0 } } }, true],
  [{ replicas: 2, strategy: { type: "Recreate" } }, false],
  [{ replicas: 0 }, false],
])("a rollout of %j needs room for a pod more: %s", (spec, isNeeded) => {
  expect(needsRoom({ metadata: { name: "a", uid: "a" }, spec })).toBe(isNeeded);
});
