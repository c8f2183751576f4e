import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectionBinding, connectionSecretRef } from "../../custody/refs.ts";
import { transact } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { storeConnection, storeConnectionSecret } from "../../ledger/registry.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { kubernetes } from "../../providers/consumers/kubernetes-secret/connection.ts";
import { kubernetesSecret } from "../../providers/consumers/kubernetes-secret/definition.ts";
import { rulesFor } from "../../providers/consumers/kubernetes-secret/rights.ts";
import {
  alsoConsumer,
  inFile,
  programStore,
  teamOf,
  type HeldLogin,
  type ProgramStore,
} from "../harness/also-registered.ts";
import { hasKubernetes } from "../harness/kubernetes.ts";
import type { KubeObject } from "../harness/kubernetes-api.ts";
import { deployment, serviceAccount } from "../harness/kubernetes-secret.ts";
import { instanceOf, type Registered } from "../harness/registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { withKubernetes } from "../harness/with-kubernetes.ts";
import { readRotation } from "../harness/world.ts";

const kube = withKubernetes();

describe("a credential that a file, a Secret of Kubernetes and a program of one's own bring to its consumers", () => {
  let folder: string;
  let store: ProgramStore;
  let bench: StepBench;
  beforeAll(async () => {
    // Without the servers every test here is skipped before it asks for the bench.
    if (!hasKubernetes) return;
    folder = await mkdtemp(join(tmpdir(), "rk-three-kinds-"));
    store = await programStore(folder);
    bench = await openStepBench({
      REKEY_EXEC_CONSUMERS_FILE: store.settings,
      REKEY_EGRESS_LOCAL_PORTS: new URL(kube().server).port,
    });
  });
  afterAll(async () => {
    await bench?.close();
    if (folder !== undefined && existsSync(folder)) await rm(folder, { recursive: true, force: true });
  });

  const inSecret = async (namespace: string): Promise<HeldLogin> => {
    const { data = {} } = await kube().must("GET", `/api/v1/namespaces/${namespace}/secrets/orders`);
    const of = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
    return { username: of("DB_USER"), password: of("DB_PASSWORD") };
  };
  const podsOf = (namespace: string) =>
    kube().until(`/api/v1/namespaces/${namespace}/pods`, (all) => all.length === 2 && all.every(isReady), "two pods");

  /** The application's login of today in a Secret and in a store, each registered as a consumer more. */
  async function alsoElsewhere(orders: Registered): Promise<string> {
    const namespace = await kube().namespace();
    const { username = "", password = "" } = await inFile(orders);
    const data = { DB_USER: btoa(username), DB_PASSWORD: btoa(password), MODE: btoa("live") };
    await kube().must("POST", `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: "orders" }, data });
    await kube().must("POST", `/apis/apps/v1/namespaces/${namespace}/deployments`, deployment("orders", "orders"));
    await podsOf(namespace);
    const config = {
      namespace,
      secret: "orders",
      keys: { DB_USER: "username", DB_PASSWORD: "password" },
      workloads: ["Deployment/orders"],
    };
    const connection = await clusterConnection(
      orders,
      namespace,
      await serviceAccount(kube(), namespace, rulesFor(config)),
    );
    await alsoConsumer(bench, orders, {
      name: "pods",
      kind: kubernetesSecret.kind,
      target: kubernetesSecret.targetOf(config, connection.settings),
      connectionId: connection.id,
      config,
      evidence: { wanted: "observed", collectors: { platform: { instances: 2 } } },
    });
    await store.also(bench, orders, namespace);
    return namespace;
  }

  async function clusterConnection(orders: Registered, namespace: string, token: string) {
    const { id: teamId, environmentId, name: team } = await teamOf(bench, orders);
    const { kind } = kubernetes;
    const settings = { server: kube().server, ca: kube().ca, namespaces: { [team]: [namespace] } };
    const [id, row] = [newId("connection"), newId("custodyValue")];
    const ref = { id, name: namespace, kind, settings, pool: "default", secret_row: row, secret_revision: 1 };
    await bench.custody.putIfAbsent(connectionSecretRef(ref, await instanceOf(bench)), { token: new Secret(token) });
    await transact(bench.ledger, async (trx) => {
      const stored = {
        id,
        teamId,
        environmentId,
        name: namespace,
        kind,
        pool: "default",
        settings,
        adminPrincipal: "",
      };
      await storeConnection(trx, stored, by);
      const fingerprint = connectionBinding(kind, settings);
      await storeConnectionSecret(trx, { connectionId: id, row, revision: 1, fingerprint }, by.actor);
    });
    return { id, settings };
  }

  it("is rotated at all three, and every pod runs with the new login", async () => {
    const orders = await bench.register();
    const namespace = await alsoElsewhere(orders);
    const [before, oldPods] = [await inFile(orders), await podsOf(namespace)];
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { outcome, hold } = await readRotation(bench, rotationId);
    expect({ outcome, hold }).toEqual({ outcome: "proven", hold: null });
    const after = await inFile(orders);
    expect([await inSecret(namespace), await store.held(namespace)]).toEqual([after, after]);
    expect(after.username).not.toBe(before.username);
    const uids = new Set(oldPods.map(({ metadata }) => metadata.uid));
    expect((await podsOf(namespace)).filter(({ metadata }) => uids.has(metadata.uid))).toEqual([]);
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("is undone at all three when one of them cannot take the new value", async () => {
    const orders = await bench.register();
    const namespace = await alsoElsewhere(orders);
    await store.refuse(orders.logins[1] ?? "");
    const before = await inFile(orders);
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { outcome, hold } = await readRotation(bench, rotationId);
    expect({ outcome, hold }).toEqual({ outcome: "undone", hold: null });
    expect([await inFile(orders), await inSecret(namespace), await store.held(namespace)]).toEqual([
      before,
      before,
      before,
    ]);
    const { metadata } = await kube().must("GET", `/api/v1/namespaces/${namespace}/secrets/orders`);
    const [number = ""] = Object.values(metadata.annotations ?? {});
    expect(Number(number.split(".")[1]), "the Secret was delivered to, and delivered back to").toBeGreaterThan(1);
    await podsOf(namespace);
    expect((await orders.shop.close()).failures).toEqual([]);
  });

  it("waits for a person when the Deployment cannot become ready, and rolled back it runs with the former login", async () => {
    const orders = await bench.register();
    const namespace = await alsoElsewhere(orders);
    const before = await inFile(orders);
    kube().kubelet.decide(namespace, (pod) => (pod.metadata.annotations === undefined ? "ready" : "crash"));
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { hold } = await readRotation(bench, rotationId);
    expect(hold?.code).toBe("evidence_missing");
    expect(hold?.detail).toContain("has not started anew with version 2: It was made before the newest delivery.");
    expect(hold?.detail).toContain("It waits with CrashLoopBackOff");
    expect(hold?.detail).toContain("Deployment/orders: 0 of 2 pods are ready with the newest delivery.");
    kube().kubelet.decide(namespace, () => "ready");
    await bench.answer(rotationId, "roll-back");
    await bench.carry(rotationId);
    const end = await readRotation(bench, rotationId);
    expect({ outcome: end.outcome, hold: end.hold }).toEqual({ outcome: "undone", hold: null });
    expect([await inFile(orders), await inSecret(namespace), await store.held(namespace)]).toEqual([
      before,
      before,
      before,
    ]);
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});

const by = { actor: "tok_test", isNew: true, changes: [] };

const isReady = ({ metadata, status }: KubeObject): boolean =>
  metadata.deletionTimestamp === undefined &&
  ((status?.["conditions"] ?? []) as { type: string; status: string }[]).some(
    (each) => each.type === "Ready" && each.status === "True",
  );
