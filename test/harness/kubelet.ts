import { call, watch, type KubeClient, type KubeObject } from "./kubernetes-api.ts";

/** What becomes of a pod. `starting` stays so; `crash` and `image` never get ready. */
export type Fate = "ready" | "starting" | "crash" | "image";

/** Stands in for scheduler and kubelet: there are no nodes, and no container ever runs. */
export interface Kubelet {
  /** The fate of the pods of a namespace from now on, those that live too. Ready, unless said. */
  decide(namespace: string, fate: (pod: KubeObject) => Fate): void;
  /** Whether pods of a namespace that are being deleted go at once. They do, unless said. */
  lingers(namespace: string, isLingering: boolean): void;
  stop(): void;
}

const pathOf = ({ metadata }: KubeObject): string =>
  `/api/v1/namespaces/${metadata.namespace ?? ""}/pods/${metadata.name}`;

const waiting: Readonly<Record<"crash" | "image" | "starting", string>> = {
  crash: "CrashLoopBackOff",
  image: "ImagePullBackOff",
  starting: "ContainerCreating",
};

function statusFor(pod: KubeObject, fate: Fate): unknown {
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const isReady = fate === "ready";
  const condition = (type: string) => ({ type, status: isReady ? "True" : "False", lastTransitionTime: now });
  const containers = (pod.spec?.["containers"] ?? []) as readonly { readonly name: string }[];
  return {
    phase: isReady || fate === "crash" ? "Running" : "Pending",
    startTime: now,
    conditions: [condition("Ready"), condition("ContainersReady")],
    containerStatuses: containers.map(({ name }) => ({
      name,
      image: "app",
      imageID: "app",
      ready: isReady,
      restartCount: 0,
      state: isReady ? { running: { startedAt: now } } : { waiting: { reason: waiting[fate] } },
    })),
  };
}

export async function startKubelet(client: KubeClient): Promise<Kubelet> {
  const end = new AbortController();
  const fates = new Map<string, (pod: KubeObject) => Fate>();
  const lingering = new Set<string>();
  const pods = new Map<string, KubeObject>();
  const done = new Map<string, Fate>();

  const serve = async (pod: KubeObject): Promise<void> => {
    const { uid, namespace = "", deletionTimestamp } = pod.metadata;
    const ask = (method: string, path: string, body?: unknown) =>
      call(client, method, path, body, method === "PATCH" ? "strategic-merge-patch+json" : "json");
    if (deletionTimestamp !== undefined) {
      if (!lingering.has(namespace)) await ask("DELETE", `${pathOf(pod)}?gracePeriodSeconds=0`);
      return;
    }
    // Only a pod that has a node is ended gracefully, as all are in earnest.
    if (pod.spec?.["nodeName"] === undefined)
      await ask("POST", `${pathOf(pod)}/binding`, {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name: pod.metadata.name },
        target: { apiVersion: "v1", kind: "Node", name: "node-1" },
      });
    const fate = fates.get(namespace)?.(pod) ?? "ready";
    if (done.get(uid) === fate) return;
    done.set(uid, fate);
    await ask("PATCH", `${pathOf(pod)}/status`, { status: statusFor(pod, fate) });
  };

  const queue = new Map<string, Promise<void>>();
  const take = (pod: KubeObject): void => {
    const { uid } = pod.metadata;
    const before = queue.get(uid) ?? Promise.resolve();
    queue.set(
      uid,
      before.then(() => serve(pod)).catch(() => undefined),
    );
  };
  await watch(client, "/api/v1/pods", end.signal, (pod, isGone) => {
    if (isGone) {
      pods.delete(pod.metadata.uid);
      return;
    }
    pods.set(pod.metadata.uid, pod);
    take(pod);
  });
  const again = (namespace: string) => {
    for (const pod of pods.values()) if (pod.metadata.namespace === namespace) take(pod);
  };
  return {
    decide(namespace, fate) {
      fates.set(namespace, fate);
      again(namespace);
    },
    lingers(namespace, isLingering) {
      if (isLingering) lingering.add(namespace);
      else lingering.delete(namespace);
      again(namespace);
    },
    stop: () => end.abort(),
  };
}
