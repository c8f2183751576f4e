import { request } from "node:https";
import { createInterface } from "node:readline";

/** An object of Kubernetes as tests see it: only what they look into. */
export interface KubeObject {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly uid: string }[];
  };
  // The rest differs by kind, and tests know what they made.
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

export interface KubeAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** How an API server is asked: by whom, and trusting whom. */
export interface KubeClient {
  readonly server: string;
  readonly ca: string;
  readonly token: string;
}

function outgoing(client: KubeClient, method: string, path: string, contentType: string) {
  const url = new URL(path, client.server);
  const headers = { authorization: `Bearer ${client.token}`, "content-type": contentType };
  return request(url, { method, ca: client.ca, headers, agent: false });
}

export type BodyType = "json" | "merge-patch+json" | "strategic-merge-patch+json" | "apply-patch+yaml";

/** One call; any status is an answer. */
export function call(
  client: KubeClient,
  method: string,
  path: string,
  body?: unknown,
  type: BodyType = "json",
): Promise<KubeAnswer> {
  return new Promise((resolve, reject) => {
    const sent = outgoing(client, method, path, `application/${type}`);
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        const isJson = response.headers["content-type"]?.includes("json") === true;
        resolve({ status: response.statusCode ?? 0, body: isJson ? (JSON.parse(text) as unknown) : text });
      });
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** A call that must succeed. */
export async function must(...args: Parameters<typeof call>): Promise<KubeObject> {
  const { status, body } = await call(...args);
  if (status < 200 || status > 299) throw new Error(`${args[1]} ${args[2]}: ${status} ${JSON.stringify(body)}`);
  return body as KubeObject;
}

/** Tells of each object of a collection: those there are, and from then on each change. Ends with the signal. */
export async function watch(
  client: KubeClient,
  path: string,
  signal: AbortSignal,
  heard: (object: KubeObject, isGone: boolean) => void,
): Promise<void> {
  const list = (await must(client, "GET", path)) as unknown as {
    readonly metadata: { readonly resourceVersion: string };
    readonly items: readonly KubeObject[];
  };
  for (const item of list.items) heard(item, false);
  const version = list.metadata.resourceVersion;
  const joined = path.includes("?") ? "&" : "?";
  const sent = outgoing(client, "GET", `${path}${joined}watch=true&resourceVersion=${version}`, "application/json");
  signal.addEventListener("abort", () => sent.destroy(), { once: true });
  sent.on("error", () => undefined);
  sent.on("response", (response) => {
    response.on("error", () => undefined);
    const lines = createInterface({ input: response });
    // It passes the stream's error on: the end of the watch is no failure.
    lines.on("error", () => undefined);
    lines.on("line", (line) => {
      const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: KubeObject };
      if (type !== "BOOKMARK" && type !== "ERROR" && !signal.aborted) heard(object, type === "DELETED");
    });
  });
  sent.end();
}

/** Resolves as soon as everything in a collection fits. */
export async function until(
  client: KubeClient,
  path: string,
  fits: (objects: readonly KubeObject[]) => boolean,
  why: string,
): Promise<readonly KubeObject[]> {
  const end = new AbortController();
  const seen = new Map<string, KubeObject>();
  const { promise, resolve, reject } = Promise.withResolvers<readonly KubeObject[]>();
  let isListed = false;
  const limit = setTimeout(() => {
    reject(new Error(`${why}: did not come; last seen ${JSON.stringify([...seen.values()])}`));
  }, 60_000);
  const look = () => {
    const all = [...seen.values()];
    if (isListed && fits(all)) resolve(all);
  };
  try {
    await watch(client, path, end.signal, (object, isGone) => {
      if (isGone) seen.delete(object.metadata.uid);
      else seen.set(object.metadata.uid, object);
      look();
    });
    isListed = true;
    look();
    return await promise;
  } finally {
    clearTimeout(limit);
    end.abort();
  }
}
