import { expect, test } from "vitest";
import { rootsIn, type Workload } from "./cluster.ts";
import type { PodObject } from "./objects.ts";

const owned = (name: string, owner?: string) => ({
  name,
  uid: `uid-${name}`,
  ...(owner === undefined
    ? {}
    : { ownerReferences: [{ kind: "Owner", name: owner, uid: `uid-${owner}`, controller: true }] }),
});
const workload = (kind: string, name: string, owner: string | undefined, isOurs: boolean): Workload => ({
  kind,
  name,
  isOurs,
  object: { metadata: owned(name, owner), spec: {} },
});
const pod = { metadata: owned("orders-1-x", "orders-1"), spec: {}, status: {} } as PodObject;
const rootOf = (isOurs: boolean) =>
  rootsIn({
    workloads: [workload("ReplicaSet", "orders-1", "orders", false), workload("Deployment", "orders", "app", isOurs)],
  })(pod);

test("a pod belongs to the workload that is registered, whoever made that one", () => {
  expect(rootOf(true).uid).toBe("uid-orders");
});

test("a pod of a workload that is not registered belongs to whoever is at the end", () => {
  expect(rootOf(false).uid).toBe("uid-app");
});
