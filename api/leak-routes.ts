import { z } from "zod";
import { lives, ties } from "../domain/leak.ts";
import type { Route } from "./route.ts";

const time = z.string();

const leakedVersion = z.object({
  credential: z.string(),
  credentialId: z.string(),
  environment: z.string(),
  kind: z.string(),
  version: z.number(),
  /** `handle`: only what the issuer calls it was found, which is no secret. */
  by: z.enum(["value", "handle"]),
  life: z.enum(lives),
  state: z.string(),
  isCurrent: z.boolean(),
  /** Of a dead one: its last proof. Of any other: when it was made, or ended where it was. */
  since: time,
  proof: z.object({ at: time, code: z.string(), controls: z.string(), rotationId: z.string().nullable() }).nullable(),
  deletedAt: time.nullable(),
  rotation: z
    .object({ id: z.string(), phase: z.string(), fromVersion: z.number().nullable(), toVersion: z.number() })
    .nullable(),
  /** Those that its end may break; of a dead one none. */
  consumers: z.array(
    z.object({ ref: z.string(), contact: z.string(), heldVersion: z.number().nullable(), tie: z.enum(ties) }),
  ),
  /** To be typed; null where there is none. */
  command: z.string().nullable(),
  next: z.string(),
});

const leakedConnection = z.object({
  connection: z.string(),
  environment: z.string(),
  kind: z.string(),
  principal: z.string(),
  next: z.string(),
});

const leakedToken = z.object({
  id: z.string(),
  role: z.string(),
  isValid: z.boolean(),
  command: z.string().nullable(),
});

/** Longer than any value that custody takes. */
export const longestLeaked = 16_384;
export const mostLeakedAtOnce = 100;
/** Of all values of one request together. */
export const mostLeakedCharacters = 262_144;

/** The route by which whoever has found a value learns whether it is ours. */
export const leakRoutes = {
  checkLeaks: {
    method: "POST",
    path: "/leaks/check",
    summary: "Which of these values are secrets that rekey knows, and what to do about each. Nothing of them is kept.",
    /** Each character may be sent as an escape of six. */
    bodyLimit: 6 * mostLeakedCharacters + 65_536,
    body: z.object({ values: z.array(z.string().min(1).max(longestLeaked)).min(1).max(mostLeakedAtOnce) }),
    response: z.object({
      /** One for each value, in their order. */
      answers: z.array(
        z.object({
          /** `redacted`: it stands for a secret that somebody hid, and was compared with nothing. */
          state: z.enum(["known", "unknown", "redacted"]),
          versions: z.array(leakedVersion),
          connections: z.array(leakedConnection),
          tokens: z.array(leakedToken),
        }),
      ),
      /** What `unknown` cannot speak for. */
      notCompared: z.object({
        /** Versions that may be alive and whose value nobody has given, and the first of them. */
        count: z.number(),
        versions: z.array(z.object({ credential: z.string(), version: z.number() })),
        /** Some versions have fingerprints under a key that the API does not hold. */
        isKeyMissing: z.boolean(),
      }),
    }),
  },
} as const satisfies Record<string, Route>;
