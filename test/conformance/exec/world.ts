import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exec } from "../../../providers/consumers/exec/definition.ts";
import type { ConsumerSession } from "../../../providers/contract/consumer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { anyConsumer, type ConsumerWorld, type OpenConsumerHow } from "../consumer-world.ts";
import { folderFingerprint } from "../folder-fingerprint.ts";
import { gate } from "../gate.ts";

const program = fileURLToPath(new URL("troubled-program.mjs", import.meta.url));
const fields = ["username", "password"];
const noHttp = Object.assign(() => Promise.reject(new Error("a program needs no HTTP")), {
  resolve: () => Promise.resolve([]),
});

type Content = Readonly<Record<string, unknown>>;

/** The example program, run for each request, and a file that an application reads and others have written before. */
export async function makeExecWorld(): Promise<ConsumerWorld> {
  const folder = await mkdtemp(join(tmpdir(), "rk-exec-"));
  const aside = await mkdtemp(join(tmpdir(), "rk-exec-aside-"));
  const path = join(folder, "orders.json");
  const troubleFile = join(aside, "trouble.json");
  const trouble: Record<string, boolean> = {};
  const cause = async (what: string) => {
    trouble[what] = true;
    await writeFile(troubleFile, JSON.stringify(trouble));
  };
  await writeFile(troubleFile, "{}");
  await writeFile(path, `${JSON.stringify({ mode: "live", regions: ["north"] })}\n`, { mode: 0o640 });
  const lines: Server[] = [];
  const ownKey = randomBytes(32);
  const config = exec.configSchema.parse({ program: "example", target: "orders", fields, reload: true });

  const open = (how: OpenConsumerHow, socketPath = "", loses = ""): Promise<ConsumerSession> => {
    const argv = [process.execPath, program, folder, troubleFile, socketPath, loses] as const;
    return exec.open(
      {
        config,
        allowed: { roots: [], reloads: {}, programs: { example: { argv, timeoutMs: 60_000 } } },
        consumer: anyConsumer,
        digestKey: how.digestKey ?? ownKey,
      },
      { signal: how.signal ?? new AbortController().signal, log: how.log ?? (() => undefined), fetch: noHttp },
    );
  };

  const text = async (name: string): Promise<string> =>
    readFile(name, "utf8").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
      throw error;
    });
  const isMalformed = { now: false };
  const content = async (): Promise<Content> => JSON.parse((await text(path)) || "{}") as Content;
  const change = async (part: Content) => writeFile(path, JSON.stringify({ ...(await content()), ...part }));

  return {
    definition: exec,
    config,
    open: (how = {}) => open(how),
    async readBehindBack() {
      const seen = isMalformed.now ? {} : await content();
      const read = (held: unknown) =>
        held === undefined || typeof held === "string" ? held : `not a text, but ${typeof held}`;
      return Object.fromEntries(fields.map((field) => [field, read(seen[field])]));
    },
    async foreignBehindBack() {
      if (isMalformed.now) return text(path);
      const seen = await content();
      return Object.entries(seen).filter(([key]) => !fields.includes(key));
    },
    fingerprint: () => folderFingerprint(folder),
    freshValue: () => ({
      username: `orders_${randomBytes(3).toString("hex")}`,
      password: new Secret(randomBytes(24).toString("base64url")),
      unused: "not for this consumer",
    }),
    secretField: "password",
    abilities: {
      changeOurs: (password) => change({ password }),
      changeForeign: () => change({ regions: [`by hand ${randomBytes(3).toString("hex")}`] }),
      removeTarget: () => unlink(path),
      async malform() {
        isMalformed.now = true;
        await writeFile(path, '{ "mode": ');
      },
      makeReadOnly: () => cause("isReadOnly"),
      fillUp: () => cause("isFull"),
      swallowWrites: () => cause("swallows"),
      async holdNextWrite() {
        const [onItsWay, arrived] = gate();
        let held: Socket | undefined;
        const socketPath = join(aside, `${randomBytes(4).toString("hex")}.sock`);
        const line = createServer((socket) => {
          held = socket;
          arrived();
        });
        lines.push(line);
        await new Promise<void>((resolve) => line.listen(socketPath, resolve));
        return { session: await open({}, socketPath), onItsWay, release: () => void held?.end() };
      },
      loseNextAnswer: () => open({}, "", "loses"),
      connections: { lacks: "it is reached without one" },
      reloads: async () => (await text(`${path}.reloads`)).split("\n").length - 1,
    },
    async close() {
      for (const line of lines) line.close();
      await rm(folder, { recursive: true, force: true });
      await rm(aside, { recursive: true, force: true });
    },
  };
}
