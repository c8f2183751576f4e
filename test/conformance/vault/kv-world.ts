import { createHash, randomBytes } from "node:crypto";
import { vaultKv } from "../../../providers/consumers/vault-kv/definition.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { proxyHttp, type HttpCall } from "../../harness/proxy/http.ts";
import { openKv } from "../../harness/vault-kv.ts";
import type { VaultServer } from "../../harness/vault.ts";
import { ownTeam, type ConsumerWorld, type OpenConsumerHow } from "../consumer-world.ts";
import { gate } from "../gate.ts";
import { policyOnPage } from "./page-policies.ts";

const keys = { DB_USER: "username", DB_PASSWORD: "password" };
/** Of others, and such that whoever writes it back after parsing it has changed it. */
const others = { MODE: "live", LIMITS: { max: 3, rates: [0.5, 1] } };

const refused = "Vault refuses a write for want of a right alone, and that is named right_missing";
const full = "Vault says of a full storage only that it failed (500)";
export const kvLacks = { refused, full };

/** A secret with something of others in it, on a real Vault, and a login with the least rights. */
export async function makeKvWorld(vault: VaultServer): Promise<ConsumerWorld> {
  const mount = await vault.mountKv();
  const config = vaultKv.configSchema.parse({ mount, path: "apps/orders", keys }) as {
    readonly mount: string;
    readonly path: string;
    readonly keys: typeof keys;
  };
  const path = `${mount}/data/apps/orders`;
  await vault.must("POST", path, { data: others });
  const token = await vault.tokenWith(policyOnPage("consumer", { "secret/data/apps/orders/database": path }));
  const proxy = await proxyHttp(vault.address, vault);
  const isWrite = ({ method }: HttpCall) => method === "PATCH";
  const ownKey = randomBytes(32);
  let grown = 24;

  const open = ({ digestKey = ownKey, ...how }: OpenConsumerHow = {}) =>
    openKv(vault, { config, secret: token, address: proxy.url, digestKey, ...how });
  const read = async () => {
    const { status, body } = await vault.call("GET", path);
    return status === 404 ? undefined : (body["data"] as { readonly data: Readonly<Record<string, unknown>> });
  };
  const change = (data: unknown) =>
    vault.call("PATCH", path, { data }, { contentType: "application/merge-patch+json" });
  const must = async (data: unknown) => {
    const { status } = await change(data);
    if (status !== 200) throw new Error(`the secret could not be changed (${status})`);
  };

  return {
    definition: vaultKv,
    config,
    open,
    async readBehindBack() {
      const data = (await read())?.data ?? {};
      return Object.fromEntries(Object.entries(keys).map(([key, field]) => [field, data[key] as string | undefined]));
    },
    async foreignBehindBack() {
      const found = await read();
      const isForeign = (key: string) => !Object.hasOwn(keys, key) && !key.startsWith("rekey_con_");
      return found && Object.entries(found.data).filter(([key]) => isForeign(key));
    },
    async fingerprint() {
      const { body } = await vault.call("GET", `${mount}/metadata/apps/orders`);
      return createHash("sha256")
        .update(JSON.stringify([await read(), body["data"]]))
        .digest("hex");
    },
    freshValue: () => ({
      username: `orders_${randomBytes(3).toString("hex")}`,
      // Longer each time, so that a full secret has no room for the next.
      password: new Secret(randomBytes((grown += 8)).toString("base64url")),
      unused: "not for this consumer",
    }),
    secretField: "password",
    abilities: {
      changeOurs: async (text) => must({ DB_PASSWORD: text }),
      changeForeign: async () => must({ MODE: randomBytes(3).toString("hex") }),
      removeTarget: async () => void (await vault.must("DELETE", `${mount}/metadata/apps/orders`)),
      malform: async () => must({ DB_PASSWORD: { nested: true } }),
      makeReadOnly: { lacks: refused },
      fillUp: { lacks: full },
      swallowWrites: async () => {
        proxy.each((call) => (isWrite(call) ? { do: "answer", status: 200, body: {} } : undefined));
        return Promise.resolve();
      },
      async holdNextWrite() {
        const [until, release] = gate();
        const arrived = proxy.meet(isWrite, { do: "delay", until });
        return { session: await open(), onItsWay: arrived.then(() => undefined), release };
      },
      async loseNextAnswer() {
        void proxy.meet(isWrite, { do: "lose-answer" });
        return open();
      },
      reloads: { lacks: "whoever reads a secret of Vault asks for it by itself" },
      connections: async () => {
        const { ca, address } = vault;
        const listed = { ca, paths: { [ownTeam]: [`${mount}/apps/`] } };
        return Promise.resolve({
          own: { address, ...listed },
          elsewhere: { address: "https://elsewhere.example.com:8200", ...listed },
        });
      },
    },
    async close() {
      proxy.close();
      await vault.must("DELETE", `sys/mounts/${mount}`);
    },
  };
}
