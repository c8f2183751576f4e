import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConsumerOpening, ConsumerSession, Delivery } from "../../contract/consumer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { Secret } from "../../contract/secret.ts";
import { configSchema, type FileConfig } from "./config.ts";
import { fileOn } from "./definition.ts";
import { nodeFileSystem, type FileSystem } from "./file-system.ts";

/** For tests: one real folder with one file in it, and sessions on it. */
export interface Trial {
  readonly folder: string;
  readonly path: string;
  open(options?: TrialOptions): Promise<ConsumerSession>;
  text(): Promise<string>;
  /** Names beside the file, the side file left out. */
  leftovers(): Promise<readonly string[]>;
  /** The delivery number that the side file carries. */
  sideNumber(): Promise<number | undefined>;
  end(): Promise<void>;
}

export interface TrialOptions {
  readonly fs?: FileSystem;
  readonly config?: Partial<FileConfig>;
  readonly allowed?: Partial<ConsumerOpening<FileConfig>["allowed"]>;
  readonly signal?: AbortSignal;
}

export const trialDigestKey = randomBytes(32);

export function contextWith(signal: AbortSignal = new AbortController().signal): ProviderContext {
  const fetch = Object.assign(async () => Promise.reject(new Error("a file needs no network")), {
    resolve: async () => Promise.resolve([]),
  });
  return { signal, fetch, log: () => undefined };
}

export function randomText(): string {
  return randomBytes(18).toString("base64url");
}

/** A delivery of a password, number in epoch 1. */
export function deliveryOf(number: number, password: string, expected?: string): Delivery {
  return {
    version: number,
    number: { epoch: 1, number },
    value: { password: new Secret(password), username: "orders_b" },
    ...(expected === undefined ? {} : { expected }),
  };
}

export async function startTrial(text: string | undefined, name = "app.env", mode = 0o600): Promise<Trial> {
  const folder = await mkdtemp(join(tmpdir(), "rekey-file-"));
  const path = join(folder, name);
  if (text !== undefined) await writeFile(path, text, { mode });
  return {
    folder,
    path,
    async open(options = {}) {
      const config = configSchema.parse({ path, format: "dotenv", keys: { PASSWORD: "password" }, ...options.config });
      const allowed = { roots: [folder], reloads: {}, ...options.allowed };
      const definition = fileOn(options.fs ?? nodeFileSystem);
      return definition.open(
        { config, allowed, consumer: "con_test", digestKey: trialDigestKey },
        contextWith(options.signal),
      );
    },
    text: async () => readFile(path, "utf8"),
    async leftovers() {
      return (await readdir(folder)).filter((each) => each !== name && each !== `.${name}.rekey`);
    },
    async sideNumber() {
      const side = await readFile(join(folder, `.${name}.rekey`), "utf8").catch(() => undefined);
      if (side === undefined) return undefined;
      return (JSON.parse(side) as { number: { number: number } }).number.number;
    },
    end: async () => rm(folder, { recursive: true, force: true }),
  };
}
