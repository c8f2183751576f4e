import { createHash, randomBytes } from "node:crypto";
import type { Egress } from "../../../providers/contract/egress.ts";
import type { IssuerSession } from "../../../providers/contract/issuer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { revealField, type Value } from "../../../providers/contract/value.ts";
import { vaultApproleSecretId } from "../../../providers/issuers/vault-approle-secret-id/definition.ts";
import { proxyHttp, type HttpCall } from "../../harness/proxy/http.ts";
import { proxyTcp } from "../../harness/proxy/tcp.ts";
import { contextFor } from "../../harness/vault-kv.ts";
import type { VaultServer } from "../../harness/vault.ts";
import { gate } from "../gate.ts";
import type { IssuerWorld, OpenHow } from "../issuer-world.ts";
import { policyOnPage } from "./page-policies.ts";
import { appTokens } from "./tokens.ts";

const owner = { instance: "ins_conformance", credential: "crd_conformance" };

const isEffect = ({ method, path }: HttpCall): boolean => method === "POST" && /\/secret-id$|\/destroy$/.test(path);

interface Login {
  readonly roleId: string;
  readonly secretId: string;
}

/** What the world changes of the one provider that is judged: on its way out, or in its session. */
export type Twist = (
  right: IssuerSession,
  by: { readonly vault: VaultServer; readonly role: string },
) => Partial<IssuerSession>;

/** The AppRole method with a role to rotate and one for rekey itself. */
export async function makeRoles(vault: VaultServer) {
  const mount = `approle-${randomBytes(4).toString("hex")}`;
  await vault.must("POST", `sys/auth/${mount}`, { type: "approle" });
  const config = vaultApproleSecretId.configSchema.parse({ mount, role: "orders" });
  const policy = `issuer-${mount}`;
  const allow = (text: string) => vault.must("PUT", `sys/policies/acl/${policy}`, { policy: text });
  await allow(policyOnPage("issuer", { "auth/approle/": `auth/${mount}/` }));
  await vault.must("POST", `auth/${mount}/role/orders`, { token_ttl: "1h" });
  await vault.must("POST", `auth/${mount}/role/rekey`, { token_policies: [policy], token_ttl: "1h" });
  const read = async (path: string, method = "GET") => {
    const { data } = (await vault.must(method, `auth/${mount}/role/${path}`, method === "POST" ? {} : undefined)) as {
      readonly data: Readonly<Record<string, string>>;
    };
    return data;
  };
  const makeSecretId = async (role: string): Promise<Value> => {
    const { secret_id: secretId = "", secret_id_accessor: accessor = "" } = await read(`${role}/secret-id`, "POST");
    const { role_id: roleId = "" } = await read(`${role}/role-id`);
    return { role_id: roleId, secret_id: new Secret(secretId), accessor, mark: "none" };
  };
  const own = await makeSecretId("rekey");
  const admin: Login = { roleId: revealField(own, "role_id"), secretId: revealField(own, "secret_id") };
  return { mount, config, admin, makeSecretId, allow };
}

/** A fresh role on a real Vault, reached by the provider through proxies and by the witness directly. */
export async function makeApproleWorld(
  vault: VaultServer,
  twin: () => Promise<VaultServer>,
  twist: Twist = () => ({}),
): Promise<IssuerWorld> {
  const roles = await makeRoles(vault);
  const { mount, config, admin } = roles;
  const base = `auth/${mount}/role/orders`;
  const ends: (() => unknown)[] = [];
  const main = await proxyTcp(Number(new URL(vault.address).port));
  ends.push(() => main.close());
  const mainAddress = `https://127.0.0.1:${main.port}`;
  const tokens = appTokens(vault, mount);
  let nextMinted: string | undefined;
  /** So many revocations of tokens that Vault does not get to. */
  let refusedRevocations = 0;

  const connectionBy = (address: string, login: Login, ca = vault.ca) =>
    vaultApproleSecretId.connectionSchema.parse({ address, ca, approle: { mount, roleId: login.roleId } });

  /** Vault mints what it is told to, by the call that it has for it; and a token does not go, when the world wants it. */
  const shaken = (fetch: Egress): Egress =>
    Object.assign(
      async (request: Parameters<Egress>[0], signal: AbortSignal) => {
        if (refusedRevocations > 0 && request.url.endsWith("/revoke-accessor")) {
          refusedRevocations -= 1;
          return { outcome: "timed-out" as const };
        }
        if (nextMinted === undefined || !request.url.endsWith("/orders/secret-id")) return fetch(request, signal);
        const json = { ...(request.json as object), secret_id: nextMinted };
        nextMinted = undefined;
        const made = await vault.call("POST", `${base}/custom-secret-id`, json);
        return { outcome: "reached" as const, ...made };
      },
      { resolve: fetch.resolve },
    );

  interface Way {
    readonly address: string;
    readonly login?: Login;
    readonly config?: unknown;
    readonly ca?: string;
  }
  async function open(how: OpenHow, { address, login = admin, config: other, ca }: Way): Promise<IssuerSession> {
    const context = contextFor(address, how);
    const session = await vaultApproleSecretId.open(
      {
        connection: connectionBy(address, login, ca),
        admin: { secret: new Secret(login.secretId) },
        config: vaultApproleSecretId.configSchema.parse(other ?? config),
        instance: how.instance ?? owner.instance,
        credential: how.credential ?? owner.credential,
      },
      { ...context, fetch: shaken(context.fetch) },
    );
    return { ...session, ...twist(session, { vault, role: base }) };
  }
  const throughProxy = async () => {
    const proxy = await proxyHttp(vault.address, vault);
    ends.unshift(() => proxy.close());
    return proxy;
  };

  async function look() {
    const { status, body } = await vault.call("GET", `${base}/secret-id?list=true`);
    const names = status === 404 ? [] : (body["data"] as { readonly keys: readonly string[] }).keys;
    return Promise.all(
      names.toSorted().map(async (name) => {
        const shown = await vault.must("POST", `${base}/secret-id-accessor/lookup`, { secret_id_accessor: name });
        return {
          name,
          isLive: true,
          fingerprint: createHash("sha256").update(JSON.stringify(shown["data"])).digest("hex"),
        };
      }),
    );
  }
  const lacks = (reason: string) => ({ lacks: reason });

  return {
    definition: vaultApproleSecretId,
    connection: connectionBy(mainAddress, admin),
    config,
    ...owner,
    open: (how = {}) => open(how, { address: mainAddress }),
    logsIn: (value) => tokens.logsIn(value),
    listBehindBack: look,
    nameOf: (value) => revealField(value, "accessor"),
    settle: () => Promise.resolve(),
    abilities: {
      async acceptEverything() {
        await vault.must("POST", base, { bind_secret_id: false, token_bound_cidrs: ["127.0.0.1/32"] });
      },
      refuseByRule: lacks("a rule of AppRole is the whole role's"),
      takeDown: () => main.takeDown(),
      bringUp: () => main.bringUp(),
      fillConnectionLimit: lacks("AppRole counts no sessions"),
      async lockOut(value) {
        const json = { role_id: revealField(value, "role_id") };
        for (let tries = 0; tries < 5; tries++)
          await vault.call("POST", `auth/${mount}/login`, { ...json, secret_id: `wrong-${tries}` }, { token: "" });
      },
      wrongTriesOn: lacks("Vault tells nobody how many wrong tries it has counted"),
      makeStranger: () => roles.makeSecretId("orders"),
      async makeFirstByHand() {
        const value = await roles.makeSecretId("orders");
        return { value, handle: vaultApproleSecretId.handleOf(config, value, 1) };
      },
      changeSecretByHand: lacks("nobody can change the secret of a minted key"),
      openSession: (value) => tokens.open(value),
      openSessionsOf: (value) => tokens.countOf(value),
      async openStubbornSession(value) {
        await tokens.open(value);
        refusedRevocations = 1;
      },
      async holdNextEffect() {
        const [until, release] = gate();
        const proxy = await throughProxy();
        const onItsWay = proxy.meet(isEffect, { do: "delay", until }).then(() => undefined);
        ends.unshift(() => release());
        return { session: await open({}, { address: proxy.url }), onItsWay, release };
      },
      async loseNextAnswer() {
        const proxy = await throughProxy();
        void proxy.meet(isEffect, { do: "lose-answer" });
        return open({}, { address: proxy.url });
      },
      clock: () => nextSecond(vault),
      takeRight: async () => void (await roles.allow(`path "${base}" {\n  capabilities = ["read"]\n}`)),
      openWithWrongAdmin: () =>
        open({}, { address: mainAddress, login: { ...admin, secretId: randomBytes(16).toString("hex") } }),
      openOnOwnPrincipal: () => open({}, { address: mainAddress, config: { mount, role: "rekey" } }),
      async openOnTwin() {
        const other = await twin();
        const there = await makeRoles(other);
        const connection = {
          address: other.address,
          ca: other.ca,
          approle: { mount: there.mount, roleId: there.admin.roleId },
        };
        return vaultApproleSecretId.open(
          {
            connection: vaultApproleSecretId.connectionSchema.parse(connection),
            admin: { secret: new Secret(there.admin.secretId) },
            config: there.config,
            ...owner,
          },
          contextFor(other.address),
        );
      },
      mintNext: async (text) => {
        nextMinted = text;
        return Promise.resolve();
      },
    },
    async close() {
      for (const end of ends) await end();
      await vault.must("DELETE", `sys/auth/${mount}`);
    },
  };
}

/** By Vault's own clock, which tells whole seconds: the beginning of the next one, when it has come. */
async function nextSecond(vault: VaultServer): Promise<string> {
  const seconds = async () => Number((await vault.must("GET", "sys/health"))["server_time_utc"]);
  const now = await seconds();
  for (;;) {
    const then = await seconds();
    if (then > now) return new Date(then * 1000).toISOString();
  }
}
