import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../embedded/processes.ts";
import { makeCertificates } from "./aws/authority.ts";
import { foundServer } from "./found-server.ts";
import { callVault, type VaultCaller, type VaultReply } from "./vault-api.ts";

/** A real Vault on this machine alone, over TLS, that was initialised and unsealed like any other. */
export interface VaultServer {
  readonly address: string;
  /** PEM of its authority. */
  readonly ca: string;
  /** The server's own certificate and key, PEM, for something that stands in front of it. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** As the administrator unless a token is given; any status. */
  call(method: string, path: string, json?: unknown, how?: VaultHow): Promise<VaultReply>;
  /** The same; throws unless it succeeds. */
  must(method: string, path: string, json?: unknown, how?: VaultHow): Promise<VaultReply["body"]>;
  seal(): Promise<void>;
  unseal(): Promise<void>;
  /** A token that may do what this policy says, and what `default` does. */
  tokenWith(policy: string, more?: Readonly<Record<string, unknown>>): Promise<string>;
  /** A fresh engine for secrets of version 2, unless options say otherwise. */
  mountKv(options?: Readonly<Record<string, string>>): Promise<string>;
  stop(): Promise<void>;
}

interface VaultHow {
  readonly token?: string;
  readonly contentType?: string;
}

const program = foundServer("vault", "vault");

export const hasVault = program !== undefined;
export const noVault = "There is no Vault here. 'npm run setup -- --servers' gets it";

/** One server's process, whether or not it has been initialised. */
export interface VaultNode extends Pick<VaultServer, "address" | "ca" | "tls" | "stop"> {
  log(): string;
}

/** `storage`: what the node keeps; of a shared one the folder given is its own. */
export async function startVaultNode(storage: (folder: string) => unknown): Promise<VaultNode> {
  if (program === undefined) throw new Error(noVault);
  const folder = await mkdtemp(join(tmpdir(), "rk-vault-"));
  const { ca, cert, key } = makeCertificates();
  const address = `https://127.0.0.1:${await freePort()}`;
  const cluster = `127.0.0.1:${await freePort()}`;
  const put = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const listener = {
    address: new URL(address).host,
    cluster_address: cluster,
    tls_cert_file: await put("cert.pem", cert),
    tls_key_file: await put("key.pem", key),
  };
  const settings = {
    disable_mlock: true,
    api_addr: address,
    cluster_addr: `https://${cluster}`,
    storage: storage(folder),
    listener: { tcp: listener },
  };
  const config = await put("config.json", JSON.stringify(settings));
  const log = openSync(join(folder, "vault.log"), "a");
  const child = spawn(program, ["server", `-config=${config}`], { cwd: folder, stdio: ["ignore", log, log] });
  return {
    ...{ address, ca, tls: { cert, key } },
    log: () => readFileSync(join(folder, "vault.log"), "utf8").slice(-3000),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts a server and waits until it takes calls; stops it when it does not. */
export async function startVault(): Promise<VaultServer> {
  return (await initialisedOn(await startVaultNode(() => ({ inmem: {} })))).server;
}

/** The server on a node that is initialised and unsealed now. */
export async function initialisedOn(
  node: VaultNode,
): Promise<{ readonly server: VaultServer; readonly unsealKey: string }> {
  const { address, ca, tls, stop } = node;
  try {
    const { token, unsealKey } = await initialised({ address, ca }, () => node.log());
    return { server: serverOf({ address, ca, token }, unsealKey, tls, stop), unsealKey };
  } catch (error) {
    await stop();
    throw error;
  }
}

// https://developer.hashicorp.com/vault/api-docs/system/init
async function initialised(caller: VaultCaller, logOf: () => string): Promise<{ token: string; unsealKey: string }> {
  const end = performance.now() + 60_000;
  while (true) {
    const status = await callVault(caller, "GET", "sys/init").then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) break;
    if (performance.now() > end) throw new Error(`Vault does not answer:\n${logOf()}`);
    await sleep(50);
  }
  const { status, body } = await callVault(caller, "PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
  const { keys_base64: keys, root_token: token } = body as { keys_base64?: readonly string[]; root_token?: string };
  const [unsealKey] = keys ?? [];
  if (unsealKey === undefined || token === undefined) throw new Error(`Vault was not initialised (${status}).`);
  await unsealWith({ ...caller, token }, unsealKey);
  return { token, unsealKey };
}

/** Unsealed, it still takes a moment until it is active. */
async function unsealWith(caller: VaultCaller, key: string): Promise<void> {
  await callVault(caller, "PUT", "sys/unseal", { key });
  const end = performance.now() + 60_000;
  while ((await callVault(caller, "GET", "sys/health")).status !== 200) {
    if (performance.now() > end) throw new Error("Vault does not become active.");
    await sleep(20);
  }
}

function serverOf(
  admin: VaultCaller,
  unsealKey: string,
  tls: VaultServer["tls"],
  stop: () => Promise<void>,
): VaultServer {
  const { address, ca } = admin;
  const call: VaultServer["call"] = (method, path, json, { token, contentType } = {}) =>
    callVault(token === undefined ? admin : { ...admin, token }, method, path, json, contentType);
  const must: VaultServer["must"] = async (method, path, json, how) => {
    const { status, body } = await call(method, path, json, how);
    if (status >= 200 && status <= 299) return body;
    throw new Error(`${method} ${path} answered with ${status}: ${JSON.stringify(body["errors"])}`);
  };
  const name = (of: string) => `${of}-${randomBytes(4).toString("hex")}`;
  return {
    address,
    ca,
    tls,
    call,
    must,
    seal: async () => void (await must("PUT", "sys/seal")),
    unseal: async () => unsealWith(admin, unsealKey),
    async tokenWith(policy, more = {}) {
      const policies = [name("test")];
      await must("PUT", `sys/policies/acl/${policies[0]}`, { policy });
      const made = (await must("POST", "auth/token/create", { policies, ttl: "1h", ...more })) as {
        readonly auth: { readonly client_token: string };
      };
      return made.auth.client_token;
    },
    async mountKv(options = { version: "2" }) {
      const mount = name("kv");
      await must("POST", `sys/mounts/${mount}`, { type: "kv", options });
      // A new engine is upgraded in the background; until then it answers with 400.
      const end = performance.now() + 60_000;
      while (options["version"] === "2" && (await call("GET", `${mount}/config`)).status !== 200) {
        if (performance.now() > end) throw new Error("The engine does not become ready.");
        await sleep(20);
      }
      return mount;
    },
    stop,
  };
}
