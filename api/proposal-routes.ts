import { z } from "zod";
import { limit, reference, type Route } from "./route.ts";

const time = z.string();

/** Somebody who was seen on a credential and is no registered consumer. */
const proposal = z.object({
  id: z.string(),
  /** `team/name` */
  credential: z.string(),
  environment: z.string(),
  /** The login. */
  principal: z.string(),
  address: z.string(),
  /** As the client calls itself. */
  applicationName: z.string(),
  database: z.string(),
  firstSeenAt: time,
  lastSeenAt: time,
  /** How many looks have seen it. */
  samples: z.number(),
  /** In which it was last seen; null: by a look outside of any. */
  rotation: z.string().nullable(),
  state: z.enum(["open", "registered", "dismissed"]),
  consumer: z.string().nullable(),
  dismissedBy: z.string().nullable(),
  reason: z.string().nullable(),
});

const named = z.object({ proposal: z.string().max(64) });

/** Who uses a credential without being registered, part of the table of routes. */
export const proposalRoutes = {
  listProposals: {
    method: "GET",
    path: "/proposals",
    summary: "Who was seen on a credential and is no registered consumer, the last one seen first.",
    query: z.object({ credential: reference.optional(), settled: z.enum(["true", "false"]).optional(), limit }),
    response: z.object({ proposals: z.array(proposal) }),
  },
  showProposal: {
    method: "GET",
    path: "/proposals/:proposal",
    summary: "One of them, and the manifest that would register it, as far as the issuer tells who it is.",
    params: named,
    response: proposal.extend({ manifest: z.string() }),
  },
  dismissProposal: {
    method: "POST",
    path: "/proposals/:proposal/dismiss",
    summary:
      "Records that no consumer is wanted for it. It opens no guard: a rotation that meets it asks all the same.",
    params: named,
    body: z.object({ reason: z.string().trim().min(1).max(500) }),
    response: z.object({ id: z.string() }),
  },
} as const satisfies Record<string, Route>;
