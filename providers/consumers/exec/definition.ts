import { compareClaims } from "../../../domain/claim.ts";
import { OperatorNeededError, PermanentError, RekeyError } from "../../../domain/errors.ts";
import type {
  ConsumerDefinition,
  ConsumerFinding,
  ConsumerOpening,
  ConsumerSession,
  Delivery,
  Observation,
} from "../../contract/consumer.ts";
import { fitTextsOf, type Value } from "../../contract/value.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { ask, type Served } from "./ask.ts";
import { configSchema, type ExecConfig } from "./config.ts";
import { digestOf, keyFor, textsOf } from "./content.ts";
import { brokenProtocol, notReloaded, saidError } from "./program-error.ts";

export type { ExecConfig } from "./config.ts";

function targetOf({ program, target }: ExecConfig): string {
  return `exec:${program}:${target}`;
}

async function observe(served: Served): Promise<Observation> {
  const { digest, isEmpty, number } = await ask(served, { action: "observe" });
  // Both say whether there is anything, so a program that computes the digest in another way is found before it writes.
  if (isEmpty !== (digest === digestOf({}, served)))
    throw brokenProtocol({ program: served.program, action: "observe" }, "a digest that does not fit 'isEmpty'");
  return {
    ...(number === undefined || number === null ? {} : { number }),
    digest,
    isEmpty,
    holds: (value) => digest === digestOf(textsOf(value, served.fields), served),
  };
}

function drifted({ program }: Served): OperatorNeededError {
  return new OperatorNeededError(
    "target_drift",
    `What the program "${program}" finds at the target right after the delivery is not what it was given. Find out who else writes the target, or what the program does to the value; then retry, or roll back.`,
  );
}

async function deliver(served: Served, { version, number, value, expected }: Delivery): Promise<{ digest: string }> {
  const texts = fitTextsOf(value, served.fields);
  const wanted = digestOf(texts, served);
  const { digest } = await ask(served, { action: "deliver", version, number, value: texts, expected });
  if (digest !== wanted) throw drifted(served);
  // Looked at once more, by a process that was not told the value: a "yes" alone is no delivery.
  const seen = await observe(served);
  const place = seen.number === undefined ? -1 : compareClaims(seen.number, number);
  if (place > 0)
    throw new PermanentError(
      "claim_outdated",
      `The program "${served.program}" has served a later delivery meanwhile.`,
    );
  if (seen.digest !== wanted) throw drifted(served);
  if (place < 0)
    throw brokenProtocol({ program: served.program, action: "observe" }, "a lower number than it was delivered");
  return { digest };
}

/** What stops a look, as findings. */
async function preflight(served: Served, values: readonly Value[]): Promise<readonly ConsumerFinding[]> {
  try {
    const texts = values.map((value) => fitTextsOf(value, served.fields));
    const { findings } = await ask(served, { action: "preflight", values: texts });
    const asked = { program: served.program, action: "preflight" } as const;
    return [...new Set(findings)].map((code) => saidError(code, asked)).map(({ code, detail }) => ({ code, detail }));
  } catch (error) {
    if (!(error instanceof RekeyError)) throw error;
    return [{ code: error.code, detail: error.detail }];
  }
}

async function reload(served: Served): Promise<void> {
  try {
    await ask(served, { action: "reload" });
  } catch (error) {
    throw error instanceof RekeyError ? notReloaded(error) : error;
  }
}

function sessionOf(opening: ConsumerOpening<ExecConfig>, { signal }: ProviderContext): ConsumerSession {
  const { config, allowed, digestKey } = opening;
  const { program, target, fields } = config;
  const key = keyFor(targetOf(config), digestKey);
  const served: Served = { program, programs: allowed.programs ?? {}, target, fields, key, signal };
  return {
    preflight: async (values = []) => preflight(served, values),
    observe: async () => observe(served),
    deliver: async (delivery) => deliver(served, delivery),
    ...(config.reload === true ? { reload: async () => reload(served) } : {}),
  };
}

export const exec: ConsumerDefinition<ExecConfig> = {
  kind: "exec",
  title: "A program of your own on the worker's host",
  configSchema,
  targetOf,
  fieldsOf: (config) => config.fields,
  noteOf: (target) =>
    `${target.replace(/^exec:/, "")}: what stands before the colon must be a program that REKEY_EXEC_CONSUMERS_FILE of the worker (or of \`rekey up\`) names; else a rotation holds before anything is changed.`,
  open: async (opening, context) => sessionOf(opening, context),
};
