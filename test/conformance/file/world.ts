import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileOn } from "../../../providers/consumers/file/definition.ts";
import { nodeFileSystem } from "../../../providers/consumers/file/file-system.ts";
import type { ConsumerSession } from "../../../providers/contract/consumer.ts";
import type { ProviderContext } from "../../../providers/contract/context.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { anyConsumer, type ConsumerWorld, type OpenConsumerHow } from "../consumer-world.ts";
import { folderFingerprint } from "../folder-fingerprint.ts";
import { gate } from "../gate.ts";
import { foreignIn, layouts, type FormatName } from "./layout.ts";
import { troubled, type DiskTrouble } from "./trouble.ts";

function contextOf(how: OpenConsumerHow): ProviderContext {
  const fetch = Object.assign(() => Promise.reject(new Error("a file needs no HTTP")), {
    resolve: () => Promise.resolve([]),
  });
  return { signal: how.signal ?? new AbortController().signal, log: how.log ?? (() => undefined), fetch };
}

/** A real file in a real folder, written by others before and read by a reader that is not rekey's. */
export async function makeFileWorld(format: FormatName): Promise<ConsumerWorld> {
  const layout = layouts[format];
  const folder = await mkdtemp(join(tmpdir(), "rk-conform-"));
  const path = join(folder, "settings");
  const reloaded = join(folder, "reloaded");
  await writeFile(reloaded, "");
  if (layout.before !== "") await writeFile(path, layout.before, { mode: 0o640 });
  const shared: DiskTrouble = {};
  const ownKey = randomBytes(32);
  const definition = fileOn(nodeFileSystem);
  const config = definition.configSchema.parse({ path, format, keys: layout.keys, reload: "touch" });
  const append = `require("node:fs").appendFileSync(${JSON.stringify(reloaded)}, "x")`;
  const reloads = { touch: { argv: [process.execPath, "-e", append] as const, timeoutMs: 20_000 } };

  const open = (how: OpenConsumerHow, trouble: DiskTrouble = shared): Promise<ConsumerSession> =>
    fileOn(troubled(nodeFileSystem, trouble)).open(
      { config, allowed: { roots: [folder], reloads }, consumer: anyConsumer, digestKey: how.digestKey ?? ownKey },
      contextOf(how),
    );

  async function text(): Promise<string> {
    return readFile(path, "utf8").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
      throw error;
    });
  }
  const isMalformed = { now: false };
  const edit = async (change: (present: string) => string) => writeFile(path, change(await text()));
  const firstKey = Object.keys(layout.keys).at(-1) ?? "";
  const { withForeign, malformed } = layout;
  const lacks = (reason: string) => ({ lacks: reason });

  return {
    definition,
    config,
    open: (how = {}) => open(how),
    async readBehindBack() {
      const seen = isMalformed.now ? {} : layout.read(await text());
      return Object.fromEntries(
        Object.entries(layout.keys).map(([key, field]) => {
          const held = seen[key];
          // A text that its reader takes for a number or for nothing has not arrived.
          return [field, held === undefined || typeof held === "string" ? held : `not a text, but ${typeof held}`];
        }),
      );
    },
    foreignBehindBack: async () => (isMalformed.now ? text() : foreignIn(layout, await text())),
    fingerprint: () => folderFingerprint(folder),
    freshValue: () => ({
      username: `orders_${randomBytes(3).toString("hex")}`,
      password: new Secret(randomBytes(24).toString("base64url")),
      unused: "not for this consumer",
    }),
    secretField: "password",
    abilities: {
      changeOurs: (value) => edit((present) => layout.withOurs(present, firstKey, value)),
      changeForeign: withForeign === undefined ? lacks("the whole file is ours") : () => edit(withForeign),
      removeTarget: () => unlink(path),
      malform:
        malformed === undefined
          ? lacks("any text is a value")
          : async () => {
              isMalformed.now = true;
              await writeFile(path, malformed);
            },
      makeReadOnly: () => Promise.resolve(void (shared.isReadOnly = true)),
      fillUp: () => Promise.resolve(void (shared.isFull = true)),
      swallowWrites: () => Promise.resolve(void (shared.swallows = true)),
      async holdNextWrite() {
        const [onItsWay, arrived] = gate();
        const [released, release] = gate();
        return { session: await open({}, { hold: { arrived, released } }), onItsWay, release };
      },
      loseNextAnswer: () => open({}, { losesAnswer: true }),
      connections: lacks("it is reached without one"),
      reloads: async () => (await readFile(reloaded)).length,
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
