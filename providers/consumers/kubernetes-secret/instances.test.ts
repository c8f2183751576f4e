import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { deployment, openSecret } from "../../../test/harness/kubernetes-secret.ts";
import type { KubeObject } from "../../../test/harness/kubernetes-api.ts";
import { withKubernetes } from "../../../test/harness/with-kubernetes.ts";
import type { Instances } from "../../contract/consumer.ts";
import { Secret } from "../../contract/secret.ts";

const kube = withKubernetes();

const isReady = ({ status }: KubeObject): boolean =>
  ((status?.["conditions"] ?? []) as { type: string; status: string }[]).some(
    (each) => each.type === "Ready" && each.status === "True",
  );
const isMarked = (number: string) => (pod: KubeObject) =>
  Object.entries(pod.metadata.annotations ?? {}).some(
    ([key, text]) => key.startsWith("rekey/") && text.startsWith(`${number}@`),
  );

/** Two ready replicas of a Deployment that reads the Secret, unless something else is asked for. */
async function application(change: Readonly<Record<string, unknown>> = {}, workloads = ["Deployment/orders"]) {
  const namespace = await kube().namespace();
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const apps = `/apis/apps/v1/namespaces/${namespace}`;
  await kube().must("POST", `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: "orders" } });
  await kube().must("POST", `${apps}/deployments`, deployment("orders", "orders", change));
  await kube().until(pods, (all) => all.filter(isReady).length === 2, "two ready pods");
  const config = { namespace, secret: "orders", keys: { DB_PASSWORD: "password" }, workloads };
  const session = await openSecret(kube(), { config });
  const look = async (): Promise<Instances> => {
    if (session.instances === undefined) throw new Error("it must show instances");
    return session.instances();
  };
  const shown = async () => {
    const { instances, lacks } = await look();
    return { states: instances.map(({ state }) => state).toSorted(), lacks };
  };
  return {
    namespace,
    pods,
    apps,
    config,
    session,
    look,
    shown,
    async deliver(number: number) {
      const value = { password: new Secret(randomBytes(18).toString("base64url")) };
      await session.deliver({ version: number, number: { epoch: 1, number }, value });
    },
    rolledOut: (number: number) =>
      kube().until(
        pods,
        (all) => all.length === 2 && all.every((pod) => isReady(pod) && isMarked(`1.${number}`)(pod)),
        "a whole rollout",
      ),
  };
}

const both = (state: string) => [state, state];

describe("a rollout", () => {
  test("is seen from the first pod to the last, and repeating the restart makes no other", async () => {
    const { session, deliver, shown, rolledOut, pods } = await application();
    await deliver(1);
    const before = await shown();
    expect(before.states).toEqual(both("old"));
    expect(before.lacks[0]).toContain("Deployment/orders has not been restarted for the newest delivery");
    expect(before.lacks[0]).toContain("kubectl -n ");
    await session.reload?.();
    const ready = await rolledOut(1);
    expect(await shown()).toEqual({ states: both("new"), lacks: [] });
    await session.reload?.();
    const again = await kube().until(pods, () => true, "pods");
    expect(again.map(({ metadata }) => metadata.uid).toSorted()).toEqual(
      ready.map(({ metadata }) => metadata.uid).toSorted(),
    );
    await deliver(2);
    expect((await shown()).states).toEqual(both("old"));
  });

  test("invariant 7: a restart that read an older delivery leaves the pods of a newer one alone", async () => {
    const { session, deliver, rolledOut, pods, namespace } = await application();
    await deliver(1);
    const secret = `/api/v1/namespaces/${namespace}/secrets/orders`;
    const older = (await kube().must("GET", secret)).metadata.annotations ?? {};
    await deliver(2);
    await session.reload?.();
    const ready = await rolledOut(2);
    // As the late attempt saw the Secret when it began.
    const { metadata, ...rest } = await kube().must("GET", secret);
    await kube().must("PUT", secret, { ...rest, metadata: { ...metadata, annotations: older } });
    await session.reload?.();
    const after = await kube().until(pods, () => true, "pods");
    const uids = (all: typeof ready) => all.map((pod) => pod.metadata.uid).toSorted();
    expect(uids(after)).toEqual(uids(ready));
    expect(after.every(isMarked("1.2"))).toBe(true);
  });

  test("of another Secret is no restart for this one: the consumer's edit to a Secret that starts at the same number", async () => {
    const { config, deliver, session, rolledOut, pods, apps, namespace } = await application();
    await deliver(1);
    await session.reload?.();
    await rolledOut(1);
    await kube().must("POST", `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: "orders-new" } });
    const envFrom = [{ secretRef: { name: "orders-new" } }];
    const containers = [{ name: "app", image: "app", envFrom }];
    const reads = { spec: { template: { spec: { containers } } } };
    await kube().must("PATCH", `${apps}/deployments/orders`, reads, "strategic-merge-patch+json");
    const sets = async () =>
      (await kube().until(`${apps}/replicasets`, () => true, "sets")).map(({ metadata }) => metadata.uid);
    // All pods have the new Secret's keys now, as they were before its first delivery.
    const moved = await kube().until(
      pods,
      (all) => all.length === 2 && all.every((pod) => isReady(pod) && JSON.stringify(pod.spec).includes("orders-new")),
      "pods that read the other Secret",
    );
    const edited = await openSecret(kube(), { config: { ...config, secret: "orders-new" } });
    const value = { password: new Secret(randomBytes(18).toString("base64url")) };
    const earlier = await sets();
    await edited.deliver({ version: 2, number: { epoch: 1, number: 1 }, value });
    const before = await edited.instances?.();
    expect(before?.instances.map(({ state }) => state)).toEqual(both("old"));
    expect(before?.lacks[0]).toContain("has not been restarted for the newest delivery");
    await edited.reload?.();
    const isOlder = ({ metadata }: KubeObject) => moved.some((pod) => pod.metadata.uid === metadata.uid);
    await kube().until(pods, (all) => all.length === 2 && !all.some(isOlder) && all.every(isReady), "a new rollout");
    expect((await sets()).filter((uid) => !earlier.includes(uid))).toHaveLength(1);
    const after = await edited.instances?.();
    expect([after?.instances.map(({ state }) => state), after?.lacks]).toEqual([both("new"), []]);
  });

  test("is not over while an old pod is still being ended", async () => {
    const { namespace, session, deliver, look, pods } = await application();
    kube().kubelet.lingers(namespace, true);
    await deliver(1);
    await session.reload?.();
    await kube().until(
      pods,
      (all) =>
        all.filter((pod) => isReady(pod) && isMarked("1.1")(pod)).length === 2 &&
        all.filter(({ metadata }) => metadata.deletionTimestamp).length === 2,
      "two new pods beside two that end",
    );
    const { instances, lacks } = await look();
    expect(instances.filter(({ state }) => state === "new")).toHaveLength(2);
    expect(instances.filter(({ state }) => state === "old").map(({ detail }) => detail)).toEqual(
      both("It is being ended."),
    );
    expect(lacks).toEqual([]);
    kube().kubelet.lingers(namespace, false);
    await kube().until(pods, (all) => all.length === 2, "the old ones are gone");
    expect((await look()).instances.map(({ state }) => state)).toEqual(both("new"));
  });

  test.each([
    ["crash", "CrashLoopBackOff"],
    ["image", "ImagePullBackOff"],
  ] as const)("whose pods never get ready (%s) is named, and the old ones live on", async (fate, reason) => {
    const { namespace, apps, session, deliver, look } = await application({ progressDeadlineSeconds: 1 });
    kube().kubelet.decide(namespace, (pod) => (isMarked("1.1")(pod) ? fate : "ready"));
    await deliver(1);
    await session.reload?.();
    await kube().until(
      `${apps}/deployments`,
      (all) => JSON.stringify(all[0]?.status).includes("ProgressDeadlineExceeded"),
      "the deadline of the rollout",
    );
    const { instances, lacks } = await look();
    expect(instances.filter(({ state }) => state === "old")).toHaveLength(2);
    expect(instances.find(({ state }) => state === "failed")?.detail).toContain(`It waits with ${reason}`);
    expect(lacks.join("\n")).toContain("The rollout of Deployment/orders is stuck (ProgressDeadlineExceeded)");
    expect(lacks.join("\n")).toContain("0 of 2 pods are ready");
  });

  test("that a quota leaves no room for is found before, and named when it happens", async () => {
    const { namespace, apps, session, deliver, look } = await application();
    const quotas = `/api/v1/namespaces/${namespace}/resourcequotas`;
    await kube().must("POST", quotas, { metadata: { name: "small" }, spec: { hard: { pods: "2" } } });
    await kube().until(
      quotas,
      ([quota]) => JSON.stringify(quota?.status).includes('"used":{"pods":"2"}'),
      "the quota is counted",
    );
    const [finding] = await session.preflight();
    expect(finding).toMatchObject({ code: "reload_failed" });
    expect(finding?.detail).toContain("The quota small leaves no room for the one pod more");
    await deliver(1);
    await session.reload?.();
    await kube().until(
      `${apps}/deployments`,
      (all) => JSON.stringify(all[0]?.status).includes("FailedCreate"),
      "a refused pod",
    );
    const { instances, lacks } = await look();
    expect(instances.map(({ state }) => state)).toEqual(both("old"));
    expect(lacks.join("\n")).toContain(
      "Deployment/orders cannot make its pods (FailedCreate): a quota of the namespace (small)",
    );
  });

  test("that is paused is named, before and after", async () => {
    const { apps, session, deliver, shown } = await application();
    await kube().must("PATCH", `${apps}/deployments/orders`, { spec: { paused: true } }, "merge-patch+json");
    expect((await session.preflight())[0]?.detail).toContain(" rollout resume deployment/orders");
    await deliver(1);
    await session.reload?.();
    const { states, lacks } = await shown();
    expect(states).toEqual(both("old"));
    expect(lacks.join("\n")).toContain("Deployment/orders is paused");
  });

  test("of a StatefulSet with a partition is a canary: its old pods are seen and the partition is named", async () => {
    const { apps, pods, session, deliver, shown } = await application({ replicas: 2 }, [
      "Deployment/orders",
      "StatefulSet/ledger",
    ]);
    const labels = { app: "ledger" };
    const container = { name: "app", image: "app", envFrom: [{ secretRef: { name: "orders" } }] };
    await kube().must("POST", `${apps}/statefulsets`, {
      metadata: { name: "ledger" },
      spec: {
        replicas: 2,
        serviceName: "ledger",
        selector: { matchLabels: labels },
        podManagementPolicy: "Parallel",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    });
    await kube().until(pods, (all) => all.filter(isReady).length === 4, "four ready pods");
    expect((await session.preflight()).map(({ detail }) => detail).join()).toContain(
      "StatefulSet/ledger has a partition of 1",
    );
    await deliver(1);
    await session.reload?.();
    // The controller may make its new pod anew once more, so that one look can come in between.
    await expect.poll(async () => (await shown()).states, { timeout: 60_000 }).toEqual(["new", "new", "new", "old"]);
    expect((await shown()).lacks.join("\n")).toContain(
      "StatefulSet/ledger has a partition of 1: pods with a lower number keep the old value",
    );
  });
});

describe("who else reads the Secret", () => {
  const podReading = (name: string) => ({
    metadata: { name },
    spec: { containers: [{ name: "app", image: "app", envFrom: [{ secretRef: { name: "orders" } }] }] },
  });

  test("is named by its owner: a bare pod, another Deployment, a CronJob that sleeps", async () => {
    const { namespace, pods, apps, session, deliver, rolledOut, shown } = await application();
    await deliver(1);
    await session.reload?.();
    await rolledOut(1);
    await kube().must("POST", pods, podReading("by-hand"));
    await kube().must("POST", `${apps}/deployments`, deployment("canary", "orders", { replicas: 1 }));
    await kube().must("POST", `/apis/batch/v1/namespaces/${namespace}/cronjobs`, {
      metadata: { name: "report" },
      spec: {
        schedule: "0 0 1 1 *",
        jobTemplate: { spec: { template: { spec: { ...podReading("x").spec, restartPolicy: "Never" } } } },
      },
    });
    await kube().must("POST", `${apps}/deployments`, deployment("other", "another", { replicas: 1 }));
    const { lacks } = await shown();
    expect(lacks.map((text) => text.split(" ")[0])).toEqual(["CronJob/report", "Deployment/canary", "Pod/by-hand"]);
    expect(lacks[1]).toContain("reads the Secret orders too and is not registered");
  });

  test("is not told by labels: a foreign pod with the application's labels is no instance of it", async () => {
    const { pods, session, deliver, rolledOut, look } = await application();
    await deliver(1);
    await session.reload?.();
    await rolledOut(1);
    const stranger = podReading("lookalike");
    await kube().must("POST", pods, {
      ...stranger,
      metadata: { name: "lookalike", labels: { role: "orders" }, annotations: { "rekey/delivery": "1.1" } },
    });
    const { instances, lacks } = await look();
    expect(instances).toHaveLength(2);
    expect(lacks.join()).toContain("Pod/lookalike reads the Secret");
  });

  test.each([
    ["another Secret", { secretRef: { name: "orders" } }, "It reads Secret orders. Is the name right?"],
    ["nothing", undefined, "It reads no other Secret. Is the name right?"],
  ])("a registered workload that reads %s is found before, and never counts as new", async (_, source, says) => {
    const labels = { app: "orders" };
    const containers = [{ name: "app", image: "app", ...(source === undefined ? {} : { envFrom: [source] }) }];
    const template = { metadata: { labels }, spec: { containers } };
    const { config, pods, namespace } = await application({ template });
    await kube().must("POST", `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: "orders-old" } });
    const session = await openSecret(kube(), { config: { ...config, secret: "orders-old" } });
    const text = `Deployment/orders does not read key DB_PASSWORD of Secret orders-old (no env, envFrom or volume). ${says}`;
    const [finding, ...more] = await session.preflight();
    expect(finding).toMatchObject({ code: "target_refused", detail: expect.stringContaining(text) as string });
    expect(more).toEqual([]);
    const value = { password: new Secret(randomBytes(18).toString("base64url")) };
    await session.deliver({ version: 1, number: { epoch: 1, number: 1 }, value });
    await session.reload?.();
    await kube().until(
      pods,
      (all) => all.length === 2 && all.every((pod) => isReady(pod) && isMarked("1.1")(pod)),
      "a whole rollout",
    );
    const shown = await session.instances?.();
    expect(shown?.instances.map(({ state }) => state)).toEqual(both("old"));
    expect(shown?.instances[0]?.detail).toContain("It does not read key DB_PASSWORD of Secret orders-old");
    expect(shown?.lacks).toEqual([text]);
  });

  test("a workload that is registered and not there is named", async () => {
    const { session, deliver, shown } = await application({}, ["Deployment/orders", "DaemonSet/agent"]);
    expect((await session.preflight()).map(({ detail }) => detail).join()).toContain("There is no DaemonSet/agent");
    await deliver(1);
    expect((await shown()).lacks.join()).toContain("There is no DaemonSet/agent");
    await expect(session.reload?.()).rejects.toMatchObject({ code: "reload_failed" });
  });
});
