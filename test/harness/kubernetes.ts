import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../embedded/processes.ts";
import { foundServer } from "./found-server.ts";
import {
  call,
  must,
  until,
  type BodyType,
  type KubeAnswer,
  type KubeClient,
  type KubeObject,
} from "./kubernetes-api.ts";
import { startKubelet, type Kubelet } from "./kubelet.ts";

/** A real API server with the real controllers, on this machine alone. */
export interface Kubernetes {
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  /** The server's own certificate and key, PEM, for something that stands in front of it. */
  readonly tls: { readonly cert: string; readonly key: string };
  readonly admin: KubeClient;
  readonly kubelet: Kubelet;
  /** A login without any right, as its token. */
  readonly stranger: string;
  /** As the administrator; throws unless it succeeds. */
  must(method: string, path: string, body?: unknown, type?: BodyType): Promise<KubeObject>;
  call(method: string, path: string, body?: unknown, type?: BodyType): Promise<KubeAnswer>;
  until(path: string, fits: (objects: readonly KubeObject[]) => boolean, why: string): Promise<readonly KubeObject[]>;
  /** A fresh namespace. */
  namespace(): Promise<string>;
  stop(): Promise<void>;
}

const found = foundServer("kubernetes");

export const hasKubernetes = found !== undefined;
export const noKubernetes = "There are no servers of Kubernetes here. 'npm run setup -- --servers' gets them";

const controllers = [
  "deployment-controller",
  "replicaset-controller",
  "statefulset-controller",
  "daemonset-controller",
  "cronjob-controller",
  "job-controller",
  "namespace-controller",
  "resourcequota-controller",
  "serviceaccount-controller",
  "garbage-collector-controller",
];

/** Starts everything and waits until it answers; stops what runs when something does not. */
export async function startKubernetes(): Promise<Kubernetes> {
  if (found === undefined) throw new Error(noKubernetes);
  const folder = await mkdtemp(join(tmpdir(), "rk-kube-"));
  const children: ChildProcess[] = [];
  const start = (program: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(folder, `${program.split("/").at(-1)}.log`), "a");
    const child = spawn(program, args, { cwd: folder, stdio: ["ignore", log, log] });
    children.push(child);
    return child;
  };
  const stop = async () => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const etcd = await startEtcd(folder, start);
    return await startServers(found, folder, etcd, start, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

type Start = (program: string, args: readonly string[]) => ChildProcess;

async function startEtcd(folder: string, start: Start): Promise<string> {
  const path = (process.env["PATH"] ?? "").split(delimiter).map((each) => join(each, "etcd"));
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  start(path.find((each) => existsSync(each)) ?? "etcd", [
    ...["--data-dir", join(folder, "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`],
  ]);
  return client;
}

async function startServers(
  programs: string,
  folder: string,
  etcd: string,
  start: Start,
  stop: () => Promise<void>,
): Promise<Kubernetes> {
  const [port, managerPort] = [await freePort(), await freePort()];
  const server = `https://127.0.0.1:${port}`;
  const [adminToken, stranger] = [randomBytes(24).toString("hex"), randomBytes(24).toString("hex")];
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const put = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const signing = await put("sa.key", privateKey);
  const tokens = await put("tokens.csv", `${adminToken},admin,1,system:masters\n${stranger},stranger,2\n`);
  start(join(programs, "kube-apiserver"), [
    ...["--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--secure-port", String(port)],
    ...["--advertise-address", "127.0.0.1", "--cert-dir", join(folder, "certs"), "--token-auth-file", tokens],
    ...["--service-account-issuer", server, "--service-account-signing-key-file", signing],
    ...["--service-account-key-file", await put("sa.pub", publicKey), "--authorization-mode", "RBAC"],
    ...["--service-cluster-ip-range", "10.0.0.0/24", "--disable-admission-plugins", "ServiceAccount"],
    ...["--endpoint-reconciler-type", "none", "--watch-cache=true"],
  ]);
  const cert = join(folder, "certs", "apiserver.crt");
  const admin = await ready(server, cert, adminToken, folder);
  const { ca } = admin;
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server, "certificate-authority": cert } }],
    users: [{ name: "u", user: { token: adminToken } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  start(join(programs, "kube-controller-manager"), [
    ...["--kubeconfig", await put("kubeconfig", JSON.stringify(config)), "--bind-address", "127.0.0.1"],
    ...["--secure-port", String(managerPort), "--cert-dir", join(folder, "manager-certs"), "--leader-elect=false"],
    ...["--controllers", controllers.join(","), "--concurrent-gc-syncs", "2"],
    ...["--authentication-skip-lookup", "--authorization-kubeconfig", "", "--authentication-kubeconfig", ""],
  ]);
  const kubelet = await startKubelet(admin);
  return {
    server,
    ca,
    tls: { cert: ca, key: readFileSync(join(folder, "certs", "apiserver.key"), "utf8") },
    admin,
    kubelet,
    stranger,
    must: (...args) => must(admin, ...args),
    call: (...args) => call(admin, ...args),
    until: (...args) => until(admin, ...args),
    async namespace() {
      const name = `shop-${randomBytes(4).toString("hex")}`;
      await must(admin, "POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
      return name;
    },
    async stop() {
      kubelet.stop();
      await stop();
    },
  };
}

/** Only its own answer says that a server which has just been started is ready. */
async function ready(server: string, cert: string, token: string, folder: string): Promise<KubeClient> {
  const end = performance.now() + 120_000;
  for (;;) {
    if (existsSync(cert)) {
      const client = { server, ca: readFileSync(cert, "utf8"), token };
      const status = await call(client, "GET", "/readyz").then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) return client;
    }
    if (performance.now() > end) {
      const log = readFileSync(join(folder, "kube-apiserver.log"), "utf8");
      throw new Error(`The API server does not answer:\n${log.slice(-3000)}`);
    }
    await sleep(50);
  }
}
