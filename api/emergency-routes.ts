import { z } from "zod";
import { deadlineOutcomes, obstructions, slotChoices } from "../domain/emergency.ts";
import { limit, reference } from "./route.ts";

/** ISO 8601, UTC. */
const time = z.string();

/** What is asked of the credentials that were named. */
const demand = z.object({
  /** Absent: every version that is alive now. */
  versions: z.array(z.int().min(1)).min(1).max(20).optional(),
  /** Ends what has leaked before the consumers have another; absent: as each credential's policy says. */
  contain: z.boolean().optional(),
  /** How long the consumers may take; absent: as the policy says. Milliseconds. */
  deadlineMs: z
    .int()
    .min(1_000)
    .max(7 * 24 * 3_600_000)
    .optional(),
  atDeadline: z.enum(deadlineOutcomes).optional(),
  /** Where the issuer has no room for another version; absent: in place where it contains, else a person is asked. */
  whenFull: z.enum(slotChoices).optional(),
  /** Consumers that may be the leak, `team/name`. */
  suspects: z.array(reference).max(100).default([]),
});

const which = z.object({
  credentials: z.array(reference).min(1).max(500).optional(),
  /** Labels as `kubectl -l` takes them; `team` and `environment` stand for those. */
  labels: z.string().min(1).max(2_000).optional(),
});

const affected = z.object({
  credentialId: z.string(),
  credential: z.string(),
  environment: z.string(),
  /** To be proven dead. */
  versions: z.array(z.number()),
  /** Named, and proven dead already. */
  dead: z.array(z.number()),
  /** Among `dead`, and brought back at the issuer since: nothing of rekey ends them. */
  revived: z.array(z.number()),
  /** Named, and ended without proof, by a person's decision. */
  unproven: z.array(z.number()),
  /** Named, and never made. */
  unmade: z.array(z.number()),
  /** Among `versions` and not asked for: suspects have them (`team/name`), so that they have leaked too. */
  alsoNamed: z.array(z.object({ version: z.number(), suspects: z.array(z.string()) })),
  how: z.enum(["reserved", "join", "upgrade", "turn-forward", "successor", "met", "refused", "dead"]),
  rotationId: z.string().nullable(),
  emergencyId: z.string().nullable(),
  refusal: z.string().nullable(),
  contain: z.boolean(),
  deadlineMs: z.number(),
  atDeadline: z.enum(deadlineOutcomes),
  whenFull: z.enum(slotChoices).nullable(),
  /** Ended without proof before, so that they may take the place of another at the issuer; and who holds them. */
  older: z.array(z.object({ version: z.number(), heldBy: z.array(z.string()) })),
  consumers: z.array(
    z.object({
      ref: z.string(),
      team: z.string(),
      contact: z.string(),
      target: z.string(),
      heldVersion: z.number().nullable(),
      isSuspect: z.boolean(),
    }),
  ),
});

/** Of one of many, what was met instead of declaring it. The others went on. */
const missed = z.object({
  credentialId: z.string(),
  /** Null: it is gone. */
  credential: z.string().nullable(),
  code: z.string(),
  title: z.string(),
  detail: z.string(),
  next: z.string(),
});

/** Where one alone is named, what it meets is the answer to the call, and none is missed. */
const answered = z.object({ affected: z.array(affected), missed: z.array(missed).optional() });

const emergency = z.object({
  id: z.string(),
  credential: z.string(),
  environment: z.string(),
  versions: z.array(z.number()),
  requestedBy: z.string(),
  reason: z.string(),
  contain: z.boolean(),
  deadline: time,
  atDeadline: z.string(),
  isOverdue: z.boolean(),
  rotationId: z.string().nullable(),
  refusedCode: z.string().nullable(),
  outcome: z.string().nullable(),
  createdAt: time,
  closedAt: time.nullable(),
  /** What its rotation failed with last and is tried again, or what a person is asked. */
  trouble: z.object({ code: z.string(), title: z.string(), attempts: z.number(), isHeld: z.boolean() }).nullable(),
  /** Consumers that may be the leak; they get nothing until somebody releases them. */
  suspects: z.array(
    z.object({
      ref: z.string(),
      releasedAt: time.nullable(),
      releasedBy: z.string().nullable(),
      reason: z.string().nullable(),
    }),
  ),
  /** What would have kept routine work, and when it was passed over. */
  overridden: z.array(
    z.object({ what: z.enum(obstructions), why: z.string().nullable(), until: time.nullable(), at: time }),
  ),
});

export const emergencyShape = emergency;

export const emergencyRoutes = {
  previewEmergency: {
    method: "POST",
    path: "/emergencies/preview",
    summary: "What declaring an emergency would do, credential by credential, and who would break. Nothing is done.",
    body: which.extend({
      ...demand.shape,
      /** The one that is about to be given: refused here already where it would be. */
      reason: z.string().min(1).max(500).optional(),
    }),
    response: answered,
  },
  declareEmergency: {
    method: "POST",
    path: "/emergencies",
    summary: "Versions of these credentials have leaked and are to be proven dead, whatever routine work is going on.",
    body: z.object({
      /** Ids, or `team/name`: exactly those of which the preview told. */
      credentials: z.array(reference).min(1).max(500),
      reason: z.string().min(1).max(500),
      ...demand.shape,
    }),
    response: answered,
  },
  listEmergencies: {
    method: "GET",
    path: "/emergencies",
    summary: "Emergencies, the newest first.",
    query: z.object({ open: z.enum(["true", "false"]).optional(), limit }),
    response: z.object({ now: time, emergencies: z.array(emergency) }),
  },
  releaseConsumer: {
    method: "POST",
    path: "/consumers/:consumer/release",
    summary: "Somebody answers for it that a suspected consumer is not the leak: it gets versions again.",
    params: z.object({ consumer: reference }),
    body: z.object({ credential: reference.optional(), reason: z.string().min(1).max(500) }),
    response: z.object({ consumer: z.string() }),
  },
} as const;
