import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { usage } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { keysOf, manifestText, writeNew } from "./init.ts";
import type { Io } from "./io.ts";

export interface InitKubernetesOptions {
  readonly credential: string;
  readonly namespace: string;
  readonly secret: string;
  readonly key: readonly string[];
  readonly workload?: readonly string[];
  readonly server?: string;
  readonly ca?: string;
  readonly environment?: string;
  readonly out?: string;
}

const authorityLines = [
  "  The cluster's authority. Indented as here it can be pasted into the Connection, below ca; or give it with --ca:",
  "",
  "kubectl config view --raw --minify --flatten -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d | sed 's/^/      /'",
  "",
];

/** `rekey init kubernetes`: prints what to run and to register for a Secret; asks no cluster and runs nothing. */
export async function initKubernetes(io: Io, options: InitKubernetesOptions): Promise<ExitCode> {
  const { credential, namespace, secret, key, workload, server = "https://YOUR-API-SERVER:6443" } = options;
  const [team = "", name = ""] = credential.split("/");
  if (name === "") throw usage(`--credential ${credential} has no team`, "Write it as team/name.");
  const ca = options.ca === undefined ? undefined : await readFile(options.ca, "utf8").catch(() => undefined);
  if (options.ca !== undefined && ca === undefined)
    throw usage(`The file ${options.ca} cannot be read`, "Name the certificate of the cluster's authority, PEM.");
  const config = { namespace, secret, keys: keysOf(key), ...(workload === undefined ? {} : { workloads: workload }) };
  const client = await io.client();
  const found = await client.call("showGrants", { params: { name: "kubernetes" }, body: { config } });
  const account = `rekey-${secret}`;
  const { environment = "production" } = options;
  const of = (kind: string, own: string, spec: object) => ({
    apiVersion: "rekey/v1",
    kind,
    metadata: { name: own, team, environment },
    spec,
  });
  const connection = `${namespace}-cluster`;
  const folder = options.out ?? ".";
  const token = join(folder, "cluster-token");
  const path = join(folder, `${name}-pods.yaml`);
  const manifests = [
    of("Connection", connection, {
      kind: found.connectionKind,
      config: { server, ca: ca ?? "PUT THE AUTHORITY OF THE CLUSTER HERE\n", namespaces: { [team]: [namespace] } },
      secretFrom: { file: token },
    }),
    of("Consumer", `${name}-pods`, {
      credential,
      kind: found.kind,
      connection: `${team}/${connection}`,
      config: found.config,
    }),
  ];
  io.give({ ...found, manifests });
  const text = manifestText(manifests);
  if (options.out !== undefined) await writeNew(folder, path, text);
  io.say(
    "Step 1. A service account with the least rights. As an administrator of the cluster:",
    "",
    `kubectl apply -f - <<'YAML'\n${found.grants}YAML`,
    "",
    `  To take it back: kubectl -n ${namespace} delete rolebinding,role,serviceaccount ${account}`,
    "",
    "Step 2. A token of it, for you alone:",
    "",
    `(umask 077; kubectl -n ${namespace} create token ${account} --duration=2160h > ${token})`,
    "",
    ...(ca === undefined ? authorityLines : []),
    ...(options.out === undefined
      ? [`The manifests, to be put into ${path}:`, "", text]
      : [`The manifests are in ${path}.`, ""]),
    "Then",
    ...(options.server === undefined ? ["  Put the address of your API server into the Connection, as server."] : []),
    `  rekey apply -f ${path}`,
    `  rekey rotation plan ${credential}`,
    `  rekey rotate ${credential} --wait`,
  );
  return exitCodes.done;
}
