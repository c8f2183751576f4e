import { PermanentError, TransientError } from "../domain/errors.ts";
import type { Secret } from "../providers/contract/secret.ts";
import type { Value } from "../providers/contract/value.ts";
import type { Aws, AwsCodes } from "../providers/systems/aws/aws.ts";
import { callerOf } from "../providers/systems/aws/identity.ts";
import { forget, keep, look, type Held } from "./aws-lifetime.ts";
import type { SecretPlace } from "./aws-secret.ts";
import { awsCustodySettings, type AwsCustodySettings } from "./aws-settings.ts";
import type { Custody, CustodyRef } from "./custody.ts";
import { inTime } from "./in-time.ts";
import type { CustodyKind } from "./kinds.ts";
import { pathPart } from "./path-part.ts";
import { readSecretFile } from "./secret-file.ts";
import { tiedEntry, untied } from "./tied-entry.ts";

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html. Bytes. */
const largestSecret = 65_536;

const nameOf = ({ prefix }: AwsCustodySettings, ref: CustodyRef): string => {
  const parts = [ref.instance, ref.credential, String(ref.version), ref.purpose];
  return [prefix, ...parts.map((part) => pathPart(part, "="))].join("/");
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const opened = (ref: CustodyRef, held: Held, place: string): Value | undefined =>
  held.state === "kept" ? untied(ref, parsed(held.text), place, "CloudTrail") : undefined;

function textOf(ref: CustodyRef, value: Value): { readonly tie: string; readonly text: string } {
  const entry = tiedEntry(ref, value);
  const text = JSON.stringify(entry);
  if (Buffer.byteLength(text) <= largestSecret) return { tie: entry.tie, text };
  throw new PermanentError(
    "value_unfit",
    `The value is too long for a secret of AWS, which holds ${largestSecret} bytes. Move the credential to another place (rekey credential move).`,
  );
}

function missing(held: Held, place: string): PermanentError | TransientError {
  if (held.state === "forgotten")
    return new PermanentError(
      "custody_missing",
      `What was put into ${place} is not there: it was forgotten at the same moment.`,
    );
  // AWS keeps the name of what was deleted without a recovery window for a while.
  return new TransientError(
    "custody_missing",
    `What was put into ${place} is not there: its name is taken by a secret that is being deleted, or that holds nothing. It will be tried again; if that lasts, find out in CloudTrail who did it.`,
  );
}

export const awsKind: CustodyKind<AwsCustodySettings> = {
  settingsSchema: awsCustodySettings,
  open({ place, settings, fetch }): Custody {
    const codes: AwsCodes = {
      unreachable: "custody_unreachable",
      authFailed: "custody_auth_failed",
      refused: "custody_unreachable",
      of: {
        what: `place ${place}`,
        giveKey: "Give its entry in the file of REKEY_CUSTODIES_FILE the id of a key, and its secretFile the secret,",
      },
    };
    let known: Secret<string> | undefined;

    /** Nothing is written before it is known that the key leads to the account of the settings. */
    async function accountOf(signal: AbortSignal): Promise<Aws> {
      const secretAccessKey = await readSecretFile(settings.secretFile);
      const aws: Aws = { settings, secretAccessKey, codes, context: { fetch, signal } };
      if (known?.reveal() === secretAccessKey.reveal()) return aws;
      await callerOf(aws);
      known = secretAccessKey;
      return aws;
    }

    const at = async <T>(ref: CustodyRef, work: (secret: SecretPlace) => Promise<T>): Promise<T> =>
      inTime(`AWS, where ${place} is,`, async (signal) =>
        work({ aws: await accountOf(signal), name: nameOf(settings, ref), prefix: settings.prefix }),
      );

    return {
      putIfAbsent: async (ref, value) =>
        at(ref, async (secret) => {
          const { tie, text } = textOf(ref, value);
          const held = await keep(secret, tie, text);
          const kept = opened(ref, held, place);
          if (kept === undefined) throw missing(held, place);
          return kept;
        }),
      get: async (ref) => at(ref, async (secret) => opened(ref, await look(secret), place)),
      forget: async (ref) => at(ref, forget),
    };
  },
};
