import { createHmac } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { OperatorNeededError, PermanentError, TransientError } from "../../domain/errors.ts";
import { compareClaims, type Claim } from "../../domain/claim.ts";
import type { ConsumerDefinition, ConsumerSession, Delivery, Instances } from "../../providers/contract/consumer.ts";
import type { ConnectionKind } from "../../providers/contract/connection.ts";
import { revealField, type Value } from "../../providers/contract/value.ts";
import { sameKeys } from "../../providers/contract/shared-keys.ts";

const connectionSchema = z.strictObject({
  folder: z.string().startsWith("/", "must be an absolute path").describe("Stands for the cluster's address"),
  spaces: z.record(z.string(), z.array(z.string())).describe("The spaces that each team may use"),
});
type Connection = z.infer<typeof connectionSchema>;

const configSchema = z.strictObject({
  space: z.string().min(1),
  secret: z.string().min(1),
  keys: z.record(z.string(), z.string()),
  pods: z.boolean().default(true).describe("Whether pods read it, which are restarted and watched"),
});
type Config = z.infer<typeof configSchema>;

/** A pod of the fake cluster. Each restart gives it what the secret holds then, unless it is stuck. */
export interface Pod {
  readonly startedAt: number;
  readonly isStuck?: true;
  /** It says so instead of what its start shows. */
  readonly state?: "starting" | "failed";
}

/** All that a fake cluster is: a file that a test reads and writes as the cluster's own people do. */
interface ClusterState {
  readonly token: string;
  readonly isDown?: true;
  /** It shows everything and takes nothing. */
  readonly isReadOnly?: true;
  readonly secrets: Readonly<
    Record<string, { readonly data: Readonly<Record<string, string>>; readonly number?: Claim }>
  >;
  readonly pods: Readonly<Record<string, Pod>>;
  /** Rises with each write of a secret. */
  readonly clock: number;
}

const fileOf = (folder: string) => join(folder, "cluster.json");

export async function readCluster(folder: string): Promise<ClusterState> {
  return JSON.parse(await readFile(fileOf(folder), "utf8")) as ClusterState;
}

export async function changeCluster(folder: string, change: (state: ClusterState) => ClusterState): Promise<void> {
  const text = JSON.stringify(change(await readCluster(folder)));
  await writeFile(`${fileOf(folder)}.new`, text);
  await rename(`${fileOf(folder)}.new`, fileOf(folder));
}

export async function makeCluster(folder: string, state: Omit<ClusterState, "clock">): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  await writeFile(fileOf(folder), JSON.stringify({ ...state, clock: 0 }));
}

const fakeCluster: ConnectionKind<Connection> = {
  kind: "fake-cluster",
  connectionSchema,
  adminFields: { token: { secret: true, title: "Token" } },
  adminPrincipalOf: () => "",
};

const keyOf = ({ space, secret }: Config) => `${space}/${secret}`;

/** A strict platform: a secret in a space, written by whoever has the token, and pods that read it when they start. */
export const fakeSecret: ConsumerDefinition<Config, Connection> = {
  kind: "fake-secret",
  title: "A secret of a cluster that is a file",
  connectionKind: fakeCluster,
  configSchema,
  targetOf: (config, connection) => `fake-secret:${connection?.folder ?? ""}/${keyOf(config)}`,
  sharedKeys: (one, other) => sameKeys(one.keys, other.keys),
  fieldsOf: ({ keys }) => Object.values(keys),
  refuses({ spaces }, { space }, team) {
    const allowed = Object.hasOwn(spaces, team) ? (spaces[team] ?? []) : [];
    return allowed.includes(space) ? undefined : `Add ${space} to the connection's spaces of team ${team}.`;
  },
  showsInstances: ({ pods }) => pods,
  async open({ config, connection, digestKey }) {
    if (connection === undefined)
      throw new PermanentError("internal", "A fake secret was opened without a connection.");
    return sessionOf(config, connection.settings.folder, connection.secret, digestKey);
  },
};

function sessionOf(config: Config, folder: string, secret: Value, digestKey: Uint8Array): ConsumerSession {
  const key = keyOf(config);
  async function enter(): Promise<ClusterState> {
    const state = await readCluster(folder);
    if (state.isDown) throw new TransientError("target_unreachable", "The cluster does not answer.");
    if (state.token !== revealField(secret, "token"))
      throw new OperatorNeededError("right_missing", "The cluster refuses the token.");
    return state;
  }
  const textsOf = (value: Value) =>
    Object.fromEntries(Object.entries(config.keys).map(([name, field]) => [name, revealField(value, field)]));
  const held = ({ secrets }: ClusterState) => secrets[key]?.data ?? {};
  const digestOf = (data: Readonly<Record<string, string>>) =>
    createHmac("sha256", digestKey)
      .update(JSON.stringify([key, ...Object.keys(config.keys).map((name) => data[name] ?? null)]))
      .digest("hex");

  async function deliver({ value, number, expected }: Delivery) {
    const state = await enter();
    if (state.isReadOnly) throw new OperatorNeededError("right_missing", "The cluster takes nothing from this token.");
    const data = { ...held(state), ...textsOf(value) };
    const before = state.secrets[key]?.number;
    if (before !== undefined && compareClaims(before, number) > 0)
      throw new PermanentError("claim_outdated", "A later delivery lies there.");
    if (expected !== undefined && ![expected, digestOf(data)].includes(digestOf(held(state))))
      throw new OperatorNeededError("target_drift", "The secret is not what was seen.");
    await changeCluster(folder, (now) => ({
      ...now,
      clock: now.clock + 1,
      secrets: { ...now.secrets, [key]: { data, number } },
    }));
    return { digest: digestOf(data) };
  }

  async function reload() {
    await enter();
    await changeCluster(folder, (now) => ({
      ...now,
      pods: Object.fromEntries(
        Object.entries(now.pods).map(([name, pod]) => [name, pod.isStuck ? pod : { ...pod, startedAt: now.clock }]),
      ),
    }));
  }

  async function instances(): Promise<Instances> {
    const { pods, clock } = await enter();
    return {
      instances: Object.entries(pods).map(([name, { startedAt, state }]) => ({
        name,
        state: state ?? (startedAt === clock ? "new" : "old"),
      })),
      lacks: [],
    };
  }

  return {
    preflight: async () => {
      await enter();
      return [];
    },
    async observe() {
      const state = await enter();
      const data = held(state);
      const number = state.secrets[key]?.number;
      return {
        ...(number === undefined ? {} : { number }),
        digest: digestOf(data),
        isEmpty: Object.keys(config.keys).every((name) => (data[name] ?? "") === ""),
        holds: (value) => digestOf({ ...data, ...textsOf(value) }) === digestOf(data),
      };
    },
    deliver,
    ...(config.pods ? { reload, instances } : {}),
  };
}
