import type { VaultServer } from "../vault.ts";
import { textIn, type CustodyWitness, type Resting } from "./witness.ts";

/** https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-metadata */
interface VersionOutline {
  readonly destroyed: boolean;
  /** Empty while it can be read. */
  readonly deletion_time: string;
}

/** Lists an engine for secrets with the root token. */
export function witnessInVault(
  vault: VaultServer,
  mount: string,
  at: Pick<CustodyWitness, "place" | "secrets">,
): CustodyWitness {
  const ask = async (path: string): Promise<Readonly<Record<string, unknown>>> => {
    const { status, body } = await vault.call("GET", path);
    if (status !== 200 && status !== 404) throw new Error(`The witness asked for ${path} and was answered ${status}.`);
    return status === 404 ? {} : ((body["data"] ?? {}) as Readonly<Record<string, unknown>>);
  };

  /** Paths of all secrets below one, which ends with a slash. */
  async function below(path: string): Promise<readonly string[]> {
    const { keys = [] } = (await ask(`${mount}/metadata/${path}?list=true`)) as { readonly keys?: readonly string[] };
    const found = keys.map(async (key) => (key.endsWith("/") ? below(`${path}${key}`) : [`${path}${key}`]));
    return (await Promise.all(found)).flat();
  }

  async function restingAt(path: string): Promise<readonly Resting[]> {
    const number = Number(path.split("/").at(-2));
    const { versions = {} } = (await ask(`${mount}/metadata/${path}`)) as {
      readonly versions?: Readonly<Record<string, VersionOutline>>;
    };
    const last = Math.max(...Object.keys(versions).map(Number));
    const there = Object.entries(versions).filter(([, { destroyed }]) => !destroyed);
    return Promise.all(
      there.map(async ([version, { deletion_time: deletedAt }]): Promise<Resting> => {
        const { data } = await ask(`${mount}/data/${path}?version=${version}`);
        const text = textIn((data ?? {}) as Readonly<Record<string, unknown>>);
        return { number, state: Number(version) === last && deletedAt === "" ? "kept" : "rest", text };
      }),
    );
  }

  const pathsOf = async (credentialId: string) =>
    (await below("")).filter((path) => path.split("/").includes(credentialId));
  return {
    ...at,
    resting: async (credentialId) => (await Promise.all((await pathsOf(credentialId)).map(restingAt))).flat(),
    async hide(credentialId) {
      for (const path of await pathsOf(credentialId)) await vault.must("DELETE", `${mount}/data/${path}`);
    },
  };
}
