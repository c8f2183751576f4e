import { z } from "zod";
import { grantStates } from "../domain/grant.ts";
import { objectName } from "../manifests/schemas.ts";
import { limit, reference, type Route } from "./route.ts";

const time = z.string();
const shown = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const change = z.object({ field: z.string(), from: shown, to: shown });
const reason = z.string().max(500).default("");
/** An id, `team/name`, or a name that only one consumer has. */
const consumer = z.object({ consumer: reference });
const credential = z.object({ credential: reference });
const grant = z.object({ grant: reference });

/** What would be delivered where. */
const content = z.object({
  action: z.enum(["create", "change"]),
  consumer: z.string(),
  credential: z.string(),
  kind: z.string(),
  connection: z.string().nullable(),
  target: z.string(),
  config: z.record(z.string(), z.unknown()),
  evidence: z.record(z.string(), z.unknown()),
  /** Against what is registered. */
  changes: z.array(change),
});

const grantSummary = z.object({
  id: z.string(),
  consumer: z.string(),
  credential: z.string(),
  kind: z.string(),
  target: z.string(),
  action: z.enum(["create", "change"]),
  state: z.enum(grantStates),
  digest: z.string(),
  /** A token; empty where it is another team's business. */
  requestedBy: z.string(),
  requestedAt: time,
  decidedBy: z.string(),
  decidedAt: time.nullable(),
  reason: z.string(),
  /** The caller may have to decide it. */
  isOwner: z.boolean(),
});

const answered = z.object({ id: z.string(), state: z.enum(grantStates) });

/** How an app team registers its own consumers, and how the owner of a credential decides where its value goes. */
export const grantRoutes = {
  registerConsumer: {
    method: "POST",
    path: "/consumers",
    summary: "Asks the owners of credentials for consumers: each that is new or changed waits until it is approved.",
    body: z.object({
      files: z
        .array(z.object({ name: z.string().min(1).max(4_096), text: z.string().max(1_000_000) }))
        .min(1)
        .max(100),
      /** Nothing is asked for: only what would be is wanted. */
      dryRun: z.boolean().default(false),
    }),
    response: z.object({
      items: z.array(
        z.object({
          ref: z.string(),
          credential: z.string(),
          action: z.enum(["create", "change", "unchanged"]),
          changes: z.array(change),
          notes: z.array(z.string()),
          digest: z.string(),
          grant: z.object({ id: z.string(), isNew: z.boolean() }).nullable(),
        }),
      ),
    }),
  },
  retireConsumer: {
    method: "POST",
    path: "/consumers/:consumer/retire",
    summary: "Says what retiring a consumer of one's own does; with the digest of that, does exactly that.",
    params: consumer,
    body: z.object({ credential: reference.optional(), digest: z.string().max(64).optional() }),
    response: z.object({
      outcome: z.enum(["planned", "deleted"]),
      ref: z.string(),
      notes: z.array(z.string()),
      digest: z.string(),
    }),
  },
  acknowledgeConsumer: {
    method: "POST",
    path: "/consumers/:consumer/acknowledge",
    summary: "Says in one's own name that a consumer runs on a version; the open rotation's next step hears it.",
    params: consumer,
    body: z.object({ version: z.int().min(1).max(1_000_000_000), credential: reference.optional() }),
    response: z.object({ commandId: z.string(), isNew: z.boolean(), rotationId: z.string() }),
  },
  shareCredential: {
    method: "POST",
    path: "/credentials/:credential/share",
    summary: "Tells a team of a credential by its name, so that it can ask for consumers there. No value is told.",
    params: credential,
    body: z.object({ team: objectName }),
    response: z.object({ credential: z.string(), team: z.string() }),
  },
  unshareCredential: {
    method: "POST",
    path: "/credentials/:credential/unshare",
    summary: "Takes that back. Consumers that the team has there stay.",
    params: credential,
    body: z.object({ team: objectName }),
    response: z.object({ credential: z.string(), team: z.string() }),
  },
  listGrants: {
    method: "GET",
    path: "/grants",
    summary: "What was asked for and what came of it, in the order in which it was asked for.",
    query: z.object({ state: z.enum(grantStates).optional(), after: z.string().max(64).optional(), limit }),
    response: z.object({ grants: z.array(grantSummary) }),
  },
  showGrant: {
    method: "GET",
    path: "/grants/:grant",
    summary: "Exactly what would be delivered where, and the digest by which that is approved.",
    params: grant,
    response: grantSummary.extend({
      content,
      isPlaceAllowed: z.boolean(),
      /** Of the credential: what is approved is part of it from then on. */
      openRotation: z.string().nullable(),
    }),
  },
  approveGrant: {
    method: "POST",
    path: "/grants/:grant/approve",
    summary: "Registers exactly what a digest names, if it still is what was asked for.",
    params: grant,
    body: z.object({ digest: z.string().max(64), reason }),
    response: answered,
  },
  refuseGrant: {
    method: "POST",
    path: "/grants/:grant/refuse",
    summary: "The owner's no, with the reason.",
    params: grant,
    body: z.object({ reason: z.string().min(1).max(500) }),
    response: answered,
  },
  withdrawGrant: {
    method: "POST",
    path: "/grants/:grant/withdraw",
    summary: "Takes back what was asked for and not answered yet.",
    params: grant,
    response: answered,
  },
} as const satisfies Record<string, Route>;
