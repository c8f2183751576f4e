import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConsumerSession, ProgramEntry } from "../../providers/contract/consumer.ts";
import { configSchema, type ExecConfig } from "../../providers/consumers/exec/config.ts";
import { exec } from "../../providers/consumers/exec/definition.ts";

/** For tests: programs that are a few lines of Node, and sessions on them. */
export interface Trial {
  readonly folder: string;
  /** `script` has the parsed `request`, and `answer(more)`, `digest(texts)` and `fs` to answer with. */
  open(script: string, options?: TrialOptions): Promise<ConsumerSession>;
  openOn(
    programs: Readonly<Record<string, ProgramEntry>> | undefined,
    options?: TrialOptions,
  ): Promise<ConsumerSession>;
  end(): Promise<void>;
}

export interface TrialOptions {
  readonly config?: Partial<ExecConfig>;
  readonly entry?: Partial<ProgramEntry>;
  readonly signal?: AbortSignal;
}

/** The protocol once more, written apart from the code that it tests. */
const preamble = `
const fs = require("node:fs");
const { createHash, createHmac } = require("node:crypto");
const request = JSON.parse(fs.readFileSync(0, "utf8"));
const answer = (more) => process.stdout.write(JSON.stringify({ protocol: 1, id: request.id, ...more }));
const digest = (texts) => {
  let all = "rekey/exec/v1\\n" + request.target + "\\n";
  for (const field of request.fields) all += field + "=" + Buffer.from(texts[field] || "").toString("base64") + "\\n";
  return createHmac("sha256", request.key).update(createHash("sha256").update(all).digest("hex")).digest("hex");
};
`;

export const generous = 60_000;
const digestKey = randomBytes(32);
const fetch = Object.assign(async () => Promise.reject(new Error("a program needs no network")), {
  resolve: async () => Promise.resolve([]),
});

export async function startTrial(): Promise<Trial> {
  const folder = await mkdtemp(join(tmpdir(), "rekey-exec-"));
  const openOn: Trial["openOn"] = async (programs, options = {}) => {
    const config = configSchema.parse({ program: "own", target: "orders", fields: ["password"], ...options.config });
    const signal = options.signal ?? new AbortController().signal;
    const allowed = { roots: [], reloads: {}, ...(programs === undefined ? {} : { programs }) };
    return exec.open({ config, allowed, consumer: "con_test", digestKey }, { signal, fetch, log: () => undefined });
  };
  return {
    folder,
    openOn,
    async open(script, options = {}) {
      const argv = [process.execPath, "-e", `${preamble}${script}`] as const;
      return openOn({ own: { argv, timeoutMs: generous, ...options.entry } }, options);
    },
    end: async () => rm(folder, { recursive: true, force: true }),
  };
}
