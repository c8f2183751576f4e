import { createHash, randomBytes } from "node:crypto";
import { Secret } from "../../../providers/contract/secret.ts";
import { kubernetesSecret } from "../../../providers/consumers/kubernetes-secret/definition.ts";
import { rulesFor } from "../../../providers/consumers/kubernetes-secret/rights.ts";
import type { Kubernetes } from "../../harness/kubernetes.ts";
import { deployment, openSecret, serviceAccount } from "../../harness/kubernetes-secret.ts";
import { proxyHttp, type HttpCall } from "../../harness/proxy/http.ts";
import { ownTeam, type ConsumerWorld, type OpenConsumerHow } from "../consumer-world.ts";
import { gate } from "../gate.ts";

const keys = { DB_USER: "username", DB_PASSWORD: "password" };
const ours = Object.keys(keys);
const largest = 1_048_576;

const asData = (texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]));

/** A Secret with something of others in it and a Deployment that reads it, on a real API server. */
export async function makeKubernetesWorld(kube: Kubernetes): Promise<ConsumerWorld> {
  const namespace = await kube.namespace();
  const path = `/api/v1/namespaces/${namespace}/secrets/orders`;
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const settings = { namespace, secret: "orders", keys, workloads: ["Deployment/orders"] };
  const config = kubernetesSecret.configSchema.parse(settings) as typeof settings;
  await kube.must("POST", `/api/v1/namespaces/${namespace}/secrets`, {
    metadata: { name: "orders", labels: { team: "shop" } },
    data: asData({ MODE: "live" }),
  });
  await kube.must("POST", deployments, deployment("orders", "orders"));
  const token = await serviceAccount(kube, namespace, rulesFor(config));
  const proxy = await proxyHttp(kube.server, kube);
  const isWrite = ({ method }: HttpCall) => method === "PATCH";
  const ownKey = randomBytes(32);
  let grown = 24;

  const open = ({ digestKey = ownKey, ...how }: OpenConsumerHow = {}) =>
    openSecret(kube, { config, token, server: proxy.url, digestKey, ...how });
  const read = async () => {
    const { status, body } = await kube.call("GET", path);
    return status === 404 ? undefined : (body as { readonly metadata: object; readonly data?: Record<string, string> });
  };
  const change = (patch: unknown) => kube.must("PATCH", `${path}?fieldManager=kubectl-edit`, patch, "merge-patch+json");

  return {
    definition: kubernetesSecret,
    config,
    open,
    async readBehindBack() {
      const data = (await read())?.data ?? {};
      return Object.fromEntries(
        Object.entries(keys).map(([key, field]) => {
          const text = data[key];
          return [field, text === undefined ? undefined : Buffer.from(text, "base64").toString()];
        }),
      );
    },
    async foreignBehindBack() {
      const found = await read();
      if (found === undefined) return undefined;
      const { labels } = found.metadata as { readonly labels?: unknown };
      return [labels, Object.entries(found.data ?? {}).filter(([key]) => !ours.includes(key))];
    },
    async fingerprint() {
      const { metadata } = await kube.must("GET", `${deployments}/orders`);
      const { generation } = metadata as unknown as { readonly generation: number };
      return createHash("sha256")
        .update(JSON.stringify([await read(), generation]))
        .digest("hex");
    },
    freshValue: () => ({
      username: `orders_${randomBytes(3).toString("hex")}`,
      // Longer each time, so that a full Secret has no room for the next.
      password: new Secret(randomBytes(grown++).toString("base64url")),
      unused: "not for this consumer",
    }),
    secretField: "password",
    abilities: {
      changeOurs: async (text) => void (await change({ data: asData({ DB_PASSWORD: text }) })),
      changeForeign: async () => void (await change({ data: asData({ MODE: randomBytes(3).toString("hex") }) })),
      removeTarget: async () => void (await kube.must("DELETE", path)),
      malform: { lacks: "a key of a Secret may hold any bytes" },
      makeReadOnly: async () => void (await change({ immutable: true })),
      async fillUp() {
        const held = Object.values((await read())?.data ?? {});
        const size = held.reduce((sum, text) => sum + Buffer.byteLength(text, "base64"), 0);
        await change({ data: asData({ filler: "x".repeat(largest - size) }) });
      },
      swallowWrites: async () => {
        const body = await read();
        void proxy.meet(isWrite, { do: "answer", status: 200, body }, Infinity);
      },
      async holdNextWrite() {
        const [until, release] = gate();
        const onItsWay = proxy.meet(isWrite, { do: "delay", until }).then(() => undefined);
        return { session: await open(), onItsWay, release };
      },
      async loseNextAnswer() {
        void proxy.meet(isWrite, { do: "lose-answer" });
        return open();
      },
      connections: async () => {
        const { ca, server } = kube;
        const listed = { ca, namespaces: { [ownTeam]: [namespace] } };
        return Promise.resolve({
          own: { server, ...listed },
          elsewhere: { server: "https://elsewhere.example.com:6443", ...listed },
        });
      },
      async reloads() {
        const { metadata } = await kube.must("GET", `${deployments}/orders`);
        return (metadata as unknown as { readonly generation: number }).generation;
      },
    },
    async close() {
      proxy.close();
      await kube.must("DELETE", `/api/v1/namespaces/${namespace}`);
    },
  };
}
