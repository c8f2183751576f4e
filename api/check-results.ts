import { z } from "zod";
import type { CheckKind } from "../domain/check.ts";
import { noticeCodes, type NoticeCode } from "../domain/notice-attempt.ts";
import { lookStates } from "../domain/look.ts";

export const look = z.object({
  about: z.string(),
  state: z.enum(lookStates),
  text: z.string(),
  /** What to do about it, to copy. */
  mend: z.string().optional(),
});

const initResult = z.object({
  seen: z.array(z.object({ name: z.string(), text: z.string() })),
  /** It is the credential's already: nothing is to do. */
  isUnderRekey: z.boolean().optional(),
  /** `team/name` of the connection that is registered for the server and is used; else it is among the manifests. */
  connection: z.string().optional(),
  /** For a person to run, in this order. */
  steps: z.array(
    z.object({ title: z.string(), why: z.string(), where: z.string(), run: z.string(), undo: z.string() }),
  ),
  /** `team/name` */
  credential: z.string(),
  /** The login that it has today. */
  username: z.string(),
  manifests: z.array(
    z.object({
      apiVersion: z.string(),
      kind: z.string(),
      metadata: z.record(z.string(), z.string()),
      spec: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
});

/** What a check of each kind says besides its findings. What a worker writes beyond it, nobody gets. */
export const checkResults = {
  adopt: z.null(),
  doctor: z.object({ looks: z.array(look), release: z.string(), temporal: z.string().nullable() }),
  init: initResult,
  "consumer-test": z.object({
    parts: z.array(z.object({ part: z.string(), state: z.enum(["ok", "warn", "not", "left-out"]), text: z.string() })),
  }),
  "notice-test": z.object({
    code: z.enum(Object.keys(noticeCodes) as NoticeCode[]),
    status: z.number().nullable(),
    text: z.string(),
  }),
  /** As it was signed: whatever a newer worker puts in it stays in it. */
  receipt: z.object({ receipt: z.record(z.string(), z.unknown()) }),
  move: z.object({ from: z.string(), to: z.string(), versions: z.array(z.number()) }),
} as const satisfies Readonly<Record<CheckKind, z.ZodType>>;
