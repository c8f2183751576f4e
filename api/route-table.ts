import { z } from "zod";
import { objectName } from "../manifests/schemas.ts";
import { auditHead } from "../receipt/shape.ts";
import { look } from "./check-results.ts";
import { proposalRoutes } from "./proposal-routes.ts";
import { noticeRoutes } from "./notice-routes.ts";
import { leakRoutes } from "./leak-routes.ts";
import { grantRoutes } from "./grant-routes.ts";
import { receiptRoutes } from "./receipt-routes.ts";
import { emergencyRoutes } from "./emergency-routes.ts";
import { routineRoutes } from "./routine-routes.ts";
import { limit, reference, type Route } from "./route.ts";
import {
  applyAnswer,
  auditRow,
  check,
  consumerDetail,
  consumerSummary,
  credentialDetail,
  credentialSummary,
  rotationDetail,
  rotationPlan,
  rotationSummary,
} from "./shapes.ts";
import { tokenRoutes } from "./token-routes.ts";

/** An id, `team/name`, or a name that only one team has. */
const credential = z.object({ credential: reference });
/** An id, `team/name`, or a name that only one consumer has. */
const consumer = z.object({ consumer: reference });
/** An id, or a credential: its open rotation, or its last. */
const rotation = z.object({ rotation: reference });
const reason = z.string().max(500).default("");
/** Longer than any field of a value may be is refused before it is looked at. */
const secretText = z.string().min(1).max(16_384);

const sentSecret = z.union([secretText, z.record(z.string().max(64), secretText)]);

export const routes = {
  health: {
    method: "GET",
    path: "/health",
    summary: "Whether the API and its ledger answer.",
    response: z.object({ status: z.enum(["ok"]), version: z.string() }),
  },
  applyManifests: {
    method: "POST",
    path: "/manifests/apply",
    summary: "Plans manifests; with the digest of a plan, applies exactly that one, all or nothing.",
    body: z.object({
      files: z
        .array(
          z.object({
            name: z.string().min(1).max(4_096),
            text: z.string().max(1_000_000),
            /** By the document's place in the file, from 0: a connection's secret. */
            secrets: z.record(z.string().regex(/^\d{1,4}$/), sentSecret).default({}),
          }),
        )
        .min(1)
        .max(500),
      planDigest: z.string().max(64).optional(),
    }),
    response: applyAnswer,
  },
  exportManifests: {
    method: "GET",
    path: "/manifests",
    summary: "What is registered, as the manifests that would register it; without secrets.",
    query: z.object({
      /** In any case, one or many: `credential`, `Credentials`. */
      kind: z.string().max(64).optional(),
      /** `team/name`, or a name, which means every team's. */
      name: reference.optional(),
    }),
    response: z.object({
      manifests: z.array(z.object({ kind: z.string(), ref: z.string(), text: z.string() })),
    }),
  },
  deleteRegistered: {
    method: "POST",
    path: "/manifests/delete",
    summary: "Says what deleting one object does; with the digest of that, does exactly that. Its history stays.",
    body: z.object({
      /** In any case, one or many: `credential`, `Credentials`. */
      kind: z.string().max(64),
      /** `team/name`, or a name that only one team has. */
      name: reference,
      /** Tells apart consumers of one name. */
      credential: reference.optional(),
      digest: z.string().max(64).optional(),
    }),
    response: z.object({
      outcome: z.enum(["planned", "deleted"]),
      ref: z.string(),
      notes: z.array(z.string()),
      digest: z.string(),
    }),
  },
  showManifestSchema: {
    method: "GET",
    path: "/manifests/schema",
    summary: "A JSON Schema of manifests, for editors.",
    response: z.object({ schema: z.record(z.string(), z.unknown()) }),
  },
  startInit: {
    method: "POST",
    path: "/init/:name",
    summary: "Looks at a system before anything of it is registered, with a login given for this once. Poll the check.",
    params: z.object({ name: reference }),
    body: z.object({
      /** In the shape of the kind: where the system is, and what of it is meant. */
      question: z.record(z.string(), z.unknown()),
      /** Of the login to look with. Destroyed when the check has ended. */
      secret: sentSecret,
      team: objectName,
      environment: objectName,
      /** Of the credential to be. */
      credential: objectName,
      /** The application's file, and what its variables hold. Without it no manifest of a consumer is made. */
      consumer: z
        .object({ path: z.string().max(4_096), keys: z.record(z.string().max(256), z.string().max(256)) })
        .optional(),
    }),
    response: z.object({ checkId: z.string() }),
  },
  showGrants: {
    method: "POST",
    path: "/init/:name/grants",
    summary: "What an administrator runs at a target before a consumer of it is registered. Nothing is looked at.",
    params: z.object({ name: reference }),
    body: z.object({ config: z.record(z.string(), z.unknown()) }),
    response: z.object({
      kind: z.string(),
      connectionKind: z.string(),
      config: z.record(z.string(), z.unknown()),
      grants: z.string(),
    }),
  },
  listCredentials: {
    method: "GET",
    path: "/credentials",
    summary: "Credentials in the order in which they were made.",
    query: z.object({
      team: z.string().max(63).optional(),
      environment: z.string().max(63).optional(),
      /** Labels as `kubectl -l` takes them: `tier=gold,region!=eu,audited,!old`. */
      labels: z.string().min(1).max(2_000).optional(),
      after: z.string().max(64).optional(),
      limit,
    }),
    response: z.object({ credentials: z.array(credentialSummary) }),
  },
  showCredential: {
    method: "GET",
    path: "/credentials/:credential",
    summary: "One credential with its versions and consumers.",
    params: credential,
    response: credentialDetail,
  },
  adoptCredential: {
    method: "POST",
    path: "/credentials/:credential/adopt",
    summary:
      "Takes the value that the credential has today as version 1, unchanged. Poll the check that it answers with.",
    params: credential,
    body: z.object({
      /** The field that the issuer authenticates by, such as the password. Absent: nobody knows it. */
      secret: secretText.optional(),
      /** Others that a person knows, such as the login's name. */
      fields: z.record(z.string().max(64), secretText).default({}),
    }),
    response: z.object({ checkId: z.string() }),
  },
  moveCredential: {
    method: "POST",
    path: "/credentials/:credential/move",
    summary:
      "Moves the credential's values to another place of custody. No rotation begins meanwhile. Poll the check that it answers with.",
    params: credential,
    body: z.object({
      /** One of those that the settings name, or `embedded`. */
      custody: z.string().min(1).max(63),
    }),
    response: z.object({ checkId: z.string() }),
  },
  listConsumers: {
    method: "GET",
    path: "/consumers",
    summary: "Registered consumers in the order in which they were made, with the evidence that each has given.",
    query: z.object({
      team: z.string().max(63).optional(),
      credential: reference.optional(),
      after: z.string().max(64).optional(),
      limit,
    }),
    response: z.object({ consumers: z.array(consumerSummary) }),
  },
  showConsumer: {
    method: "GET",
    path: "/consumers/:consumer",
    summary: "One consumer: which evidence it gives, which it could give, and what to write for that.",
    params: consumer,
    query: z.object({ credential: reference.optional() }),
    response: consumerDetail,
  },
  testConsumer: {
    method: "POST",
    path: "/consumers/:consumer/test",
    summary: "Tries delivery and evidence against today's version, without touching it. Poll the check.",
    params: consumer,
    body: z.object({ credential: reference.optional() }),
    response: z.object({ checkId: z.string() }),
  },
  planRotation: {
    method: "GET",
    path: "/credentials/:credential/plan",
    summary: "All that a rotation would do now, with every call.",
    params: credential,
    response: rotationPlan,
  },
  reserveRotation: {
    method: "POST",
    path: "/credentials/:credential/rotate",
    summary: "Reserves a rotation, or answers with the one that is open.",
    params: credential,
    body: z.object({ reason }),
    response: rotationSummary.extend({ isNew: z.boolean() }),
  },
  startDoctor: {
    method: "POST",
    path: "/doctor",
    summary: "Has a worker look at every place outside, changing nothing. Poll what it answers with, so long at most.",
    response: z.object({ checkId: z.string(), limitMs: z.number() }),
  },
  showDoctor: {
    method: "GET",
    path: "/doctor/:check",
    summary: "All that is not as it should be and all that is, worst first, each with what to do.",
    params: z.object({ check: reference }),
    response: z.object({ isComplete: z.boolean(), looks: z.array(look) }),
  },
  recordKeyCopy: {
    method: "POST",
    path: "/custody/key-copies",
    summary: "Notes that a copy of the custody key's file is kept elsewhere. Where, is nobody's business here.",
    response: z.object({ keyId: z.string() }),
  },
  showCheck: {
    method: "GET",
    path: "/checks/:check",
    summary: "What a look outside has found.",
    params: z.object({ check: reference }),
    response: check,
  },
  listRotations: {
    method: "GET",
    path: "/rotations",
    summary: "Rotations, newest first.",
    query: z.object({
      credential: reference.optional(),
      open: z.enum(["true", "false"]).optional(),
      before: z.string().max(64).optional(),
      limit,
    }),
    response: z.object({ rotations: z.array(rotationSummary) }),
  },
  showRotation: {
    method: "GET",
    path: "/rotations/:rotation",
    summary: "One rotation: where it is, what it waits for, its hold and consumers.",
    params: rotation,
    response: rotationDetail,
  },
  giveCommand: {
    method: "POST",
    path: "/rotations/:rotation/commands",
    summary: "Gives a command; the rotation's next step hears it.",
    params: rotation,
    body: z.object({
      command: z.discriminatedUnion("kind", [
        z.object({ kind: z.enum(["pause", "resume", "abort"]) }),
        z.object({
          kind: z.literal("extend"),
          byMs: z
            .int()
            .min(1)
            .max(366 * 86_400_000),
        }),
        z.object({
          kind: z.literal("decide"),
          holdId: reference,
          decision: z.enum(["retry", "roll-back", "accept"]),
          /** Keys of the gaps that the person has seen. */
          gaps: z.array(z.string().max(2_000)).max(1_000),
        }),
      ]),
      reason,
    }),
    response: z.object({ commandId: z.string(), isNew: z.boolean(), rotationId: z.string() }),
  },
  listAudit: {
    method: "GET",
    path: "/audit",
    summary: "The audit trail, newest first.",
    query: z.object({
      credential: reference.optional(),
      rotation: reference.optional(),
      before: z.coerce.number().int().min(1).optional(),
      limit,
    }),
    /** `names`: what people call the ids in the rows' details. */
    response: z.object({ rows: z.array(auditRow), names: z.record(z.string(), z.string()) }),
  },
  verifyAudit: {
    method: "POST",
    path: "/audit/verify",
    summary:
      "Checks every row against its seal, every seal, every signed head, and an anchor that was exported earlier.",
    body: z.object({
      anchor: auditHead.optional(),
    }),
    response: z.object({
      ok: z.boolean(),
      count: z.number().optional(),
      heads: z.number().optional(),
      unsealed: z.number().optional(),
      fault: z.string().optional(),
      rowId: z.number().optional(),
      position: z.number().optional(),
    }),
  },
  ...proposalRoutes,
  ...leakRoutes,
  ...grantRoutes,
  ...routineRoutes,
  ...receiptRoutes,
  ...emergencyRoutes,
  ...tokenRoutes,
  ...noticeRoutes,
} as const satisfies Record<string, Route>;

export type Routes = typeof routes;
export type RouteName = keyof Routes;

type Part<R, K extends string> = R extends { readonly [N in K]: infer S extends z.ZodType } ? S : undefined;
type In<S> = S extends z.ZodType ? z.input<S> : undefined;
type Out<S> = S extends z.ZodType ? z.output<S> : undefined;

/** What a caller gives: the parts that the route declares. */
export type Request<N extends RouteName> = {
  readonly [K in "params" | "query" | "body" as Routes[N] extends Record<K, z.ZodType> ? K : never]: In<
    Part<Routes[N], K>
  >;
};

/** What a handler gets, parsed. */
export type Received<N extends RouteName> = {
  readonly [K in "params" | "query" | "body" as Routes[N] extends Record<K, z.ZodType> ? K : never]: Out<
    Part<Routes[N], K>
  >;
};

export type Answer<N extends RouteName> = z.output<Routes[N]["response"]>;

export const apiPrefix = "/api/v1";
