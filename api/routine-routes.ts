import { z } from "zod";
import { objectName } from "../manifests/schemas.ts";
import { look } from "./check-results.ts";
import { limit, reference } from "./route.ts";

const time = z.string();

const freeze = z.object({
  id: z.string(),
  team: z.string().nullable(),
  environment: z.string().nullable(),
  reason: z.string(),
  from: time,
  until: time,
  declaredBy: z.string(),
  endedAt: time.nullable(),
  isActive: z.boolean(),
});

const calendarEntry = z.object({
  credential: z.string(),
  environment: z.string(),
  criticality: z.string().nullable(),
  /** Of one that is open, and will not be due by itself: since when it is open. */
  dueAt: time,
  because: z.string(),
  /** When nothing that is known now forbids to begin. */
  beginsAt: time.nullable(),
  state: z.enum(["running", "due", "upcoming"]),
  rotation: z.string().nullable(),
  /** When the rotation that is open was reserved. */
  since: time.nullable(),
  /** What it waits for, a clause each. */
  why: z.array(z.string()),
});

/** The routes of routine work: when it happens, why not, and what is wrong. */
export const routineRoutes = {
  explainPolicy: {
    method: "GET",
    path: "/credentials/:credential/policy",
    summary: "Each value of the policy that rules a credential, and who says it.",
    params: z.object({ credential: reference }),
    response: z.object({
      credential: z.string(),
      fields: z.array(
        z.object({
          field: z.string(),
          value: z.unknown(),
          from: z.string(),
          overruled: z.array(z.object({ from: z.string(), value: z.unknown() })),
        }),
      ),
      /** Why it can never work, where it cannot. */
      trouble: z.string().nullable(),
    }),
  },
  showCalendar: {
    method: "GET",
    path: "/calendar",
    summary: "What is due and what becomes due, the first to begin first, and what each waits for.",
    query: z.object({
      team: z.string().max(63).optional(),
      environment: z.string().max(63).optional(),
      credential: reference.optional(),
      days: z.coerce.number().int().min(1).max(400).default(14),
      limit,
    }),
    response: z.object({
      now: time,
      /** What becomes due later is left out. */
      until: time,
      entries: z.array(calendarEntry),
      /** There is more than the limit. */
      isMore: z.boolean(),
      freezes: z.array(freeze),
    }),
  },
  listFreezes: {
    method: "GET",
    path: "/freezes",
    summary: "Freezes that last, are to come, or ended within the last 30 days.",
    response: z.object({ freezes: z.array(freeze) }),
  },
  declareFreeze: {
    method: "POST",
    path: "/freezes",
    summary: "From then on, until its end, no routine work does what consumers can feel. What is urgent is not bound.",
    body: z.object({
      team: objectName.optional(),
      environment: objectName.optional(),
      reason: z.string().min(1).max(500),
      from: z.iso.datetime({ offset: true }).optional(),
      until: z.iso.datetime({ offset: true }),
    }),
    response: z.object({ freezeId: z.string() }),
  },
  endFreeze: {
    method: "POST",
    path: "/freezes/:freeze/end",
    summary: "Ends a freeze before its time.",
    params: z.object({ freeze: z.string().max(64) }),
    body: z.object({}),
    response: z.object({ freezeId: z.string() }),
  },
  showMetrics: {
    method: "GET",
    path: "/metrics",
    summary: "Figures in the text format of Prometheus, which scrapes them as plain text at /metrics.",
    response: z.object({ text: z.string() }),
  },
  showStatus: {
    method: "GET",
    path: "/status",
    summary: "Whether rotations happen by themselves, and what is wrong where they do not; worst first.",
    response: z.object({
      now: time,
      counts: z.object({
        credentials: z.number(),
        scheduled: z.number(),
        /** Due, and kept from beginning by a window, a freeze or a pause. */
        waiting: z.number(),
        open: z.number(),
        proven: z.number(),
        workers: z.number(),
      }),
      nextAt: time.nullable(),
      /** Those that last now. */
      freezes: z.array(freeze),
      looks: z.array(look),
    }),
  },
} as const;
