import { z } from "zod";
import { choiceNames } from "../domain/choice.ts";
import { emergencyShape } from "./emergency-routes.ts";
import { checkResults } from "./check-results.ts";

/** Shapes of answers, from which the OpenAPI document and the client's types are derived. */

/** ISO 8601, UTC. */
const time = z.string();
/** In a manifest's words. */
const policy = z.record(z.string(), z.unknown());
const texts = z.record(z.string(), z.string());

export const credentialSummary = z.object({
  id: z.string(),
  team: z.string(),
  environment: z.string(),
  name: z.string(),
  kind: z.string(),
  order: z.string(),
  currentVersion: z.number().nullable(),
  consumers: z.number(),
  openRotation: z.object({ id: z.string(), phase: z.string(), hold: z.number().nullable() }).nullable(),
  lastOutcome: z.string().nullable(),
  lastClosedAt: time.nullable(),
  labels: texts,
  /** Another team's, on which a consumer of the caller's team runs: what is none of its business is left empty. */
  isShared: z.boolean(),
});

const finding = z.object({ code: z.string(), title: z.string(), detail: z.string(), mend: z.string().optional() });

export const credentialDetail = credentialSummary.extend({
  connection: z
    .object({
      id: z.string(),
      ref: z.string(),
      hasSecret: z.boolean(),
      identity: z.string().nullable(),
    })
    .nullable(),
  principals: z.array(z.string()),
  /** The command that gives it the value it has today, and what came of the last time; null once there is a version. */
  adoption: z
    .object({
      command: z.string(),
      last: z.object({ state: z.enum(["pending", "failed"]), at: time, findings: z.array(finding) }).nullable(),
    })
    .nullable(),
  config: z.record(z.string(), z.unknown()),
  policy,
  /** `team/name` of the policy that it names. */
  policyRef: z.string().nullable(),
  /** Who answers for it, and what it opens to whom. */
  inventory: z.object({
    owner: z.string().optional(),
    backupOwner: z.string().optional(),
    criticality: z.string().optional(),
    scopes: z.array(z.string()).optional(),
    expiresAt: z.string().optional(),
    readers: z.array(z.string()).optional(),
  }),
  /** The place of its values in custody. */
  custody: z.string(),
  /** Teams to which its owner has told its name. */
  sharedWith: z.array(z.string()),
  annotations: texts,
  versions: z.array(
    z.object({
      number: z.number(),
      state: z.string(),
      handle: z.string().nullable(),
      createdAt: time,
      endedAt: time.nullable(),
    }),
  ),
  consumerList: z.array(
    z.object({
      id: z.string(),
      ref: z.string(),
      kind: z.string(),
      connection: z.object({ ref: z.string(), hasSecret: z.boolean() }).nullable(),
      target: z.string(),
      heldVersion: z.number().nullable(),
      wanted: z.string(),
      canGive: z.array(z.string()),
    }),
  ),
});

export const check = z.object({
  id: z.string(),
  kind: z.string(),
  /** The credential, connection or consumer that it looks at; null: nothing that is registered. */
  subjectId: z.string().nullable(),
  state: z.enum(["pending", "done", "failed"]),
  findings: z.array(finding),
  /** What was seen, in the shape of the kind; null while nothing was. */
  result: z.union([z.null(), ...Object.values(checkResults)]),
  at: time,
  finishedAt: time.nullable(),
});

export const rotationSummary = z.object({
  id: z.string(),
  credentialId: z.string(),
  credential: z.string(),
  environment: z.string(),
  order: z.string(),
  phase: z.string(),
  direction: z.enum(["forward", "undo"]),
  outcome: z.string().nullable(),
  fromVersion: z.number().nullable(),
  toVersion: z.number(),
  paused: z.boolean(),
  urgent: z.boolean(),
  phaseSince: time,
  createdAt: time,
  closedAt: time.nullable(),
  openHold: z.number().nullable(),
});

/** What a person can do about a hold, in sentences; the first three are its answers. */
const choice = z.object({
  name: z.enum(choiceNames),
  allowed: z.boolean(),
  text: z.string(),
  needsReason: z.boolean(),
});

/** Whom to ask. */
const owner = z.object({ consumer: z.string().nullable(), team: z.string(), contact: z.string() });

const openHold = z.object({
  id: z.string(),
  number: z.number(),
  phase: z.string(),
  code: z.string(),
  title: z.string(),
  detail: z.string(),
  openedAt: time,
  gaps: z.array(
    z.object({ number: z.number(), key: z.string(), code: z.string(), text: z.string(), owner: owner.nullable() }),
  ),
  /** Of the credential. */
  owner,
  choices: z.array(choice),
  /** An answer that no step has heard yet. */
  givenAnswer: z.object({ decision: z.string(), actor: z.string(), at: time }).nullable(),
});

const evidence = z.object({
  source: z.string(),
  strength: z.string(),
  version: z.number(),
  complete: z.boolean(),
  instances: z.number(),
  lacks: z.array(z.string()),
  at: time,
  isFresh: z.boolean(),
});

const lastUse = z.object({
  version: z.number(),
  /** By the issuer's clock. */
  toldAt: time,
  /** Null: never. */
  at: time.nullable(),
  by: z.string().nullable(),
  grainMs: z.number(),
  lateByMs: z.number(),
});

export const rotationDetail = rotationSummary.extend({
  /** Of another team's credential: it has its phase and the caller's own consumers, and the rest is left empty. */
  isShared: z.boolean(),
  kind: z.string(),
  policy,
  requestedBy: z.string(),
  reason: z.string(),
  extendedMs: z.number(),
  attempts: z.number(),
  lastProblem: z.object({ code: z.string(), title: z.string() }).nullable(),
  /** The ledger's clock when this was read. */
  now: time,
  phases: z.array(
    z.object({ phase: z.string(), state: z.enum(["done", "here", "to come"]), isPointOfNoReturn: z.boolean() }),
  ),
  isPastReturn: z.boolean(),
  waitsFor: z.object({ text: z.string(), since: time, until: time.nullable() }),
  hold: openHold.nullable(),
  /** What has leaked and this rotation is about. */
  emergencies: z.array(emergencyShape),
  /** Whom it broke, where what has leaked was ended first: from then until it showed the new version. */
  broken: z.array(z.object({ ref: z.string(), from: time, until: time.nullable() })),
  /** What was found at the issuer after what had leaked was dead. */
  afterDeath: z.array(
    z.object({
      version: z.number(),
      kind: z.enum(["used", "revived", "stranger"]),
      text: z.string(),
      firstSeenAt: time,
      lastSeenAt: time,
    }),
  ),
  answeredHolds: z.array(
    z.object({
      number: z.number(),
      phase: z.string(),
      code: z.string(),
      decision: z.string(),
      decidedBy: z.string(),
      reason: z.string(),
      decidedAt: time,
    }),
  ),
  consumers: z.array(
    z.object({
      id: z.string(),
      ref: z.string(),
      team: z.string(),
      contact: z.string(),
      kind: z.string(),
      target: z.string(),
      heldVersion: z.number().nullable(),
      wanted: z.string(),
      deliveredVersion: z.number().nullable(),
      deliveredAt: time.nullable(),
      evidence: z.array(evidence),
    }),
  ),
  sessions: z
    .object({
      at: time,
      list: z.array(
        z.object({
          version: z.number().nullable(),
          principal: z.string(),
          database: z.string(),
          address: z.string(),
          applicationName: z.string(),
          startedAt: z.string(),
        }),
      ),
    })
    .nullable(),
  lastUses: z.array(lastUse),
  commands: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      actor: z.string(),
      state: z.string(),
      refusal: z.string().nullable(),
      at: time,
    }),
  ),
});

const seenEvidence = evidence.omit({ isFresh: true });

export const consumerSummary = z.object({
  id: z.string(),
  /** `team/name` */
  ref: z.string(),
  team: z.string(),
  contact: z.string(),
  /** `team/name` */
  credential: z.string(),
  environment: z.string(),
  kind: z.string(),
  target: z.string(),
  heldVersion: z.number().nullable(),
  currentVersion: z.number().nullable(),
  wanted: z.string(),
  wantedBy: z.string(),
  canGive: z.array(z.string()),
  /** The latest of each source, whichever rotation collected it; newest first. */
  seen: z.array(seenEvidence),
});

export const consumerDetail = consumerSummary.extend({
  kindTitle: z.string(),
  /** What to mind of such a target. */
  note: z.string().nullable(),
  /** All evidence that such a consumer can give, strongest first. */
  offered: z.array(
    z.object({
      kind: z.string(),
      title: z.string(),
      strength: z.string(),
      needsChange: z.boolean(),
      isCollected: z.boolean(),
      last: seenEvidence.nullable(),
    }),
  ),
  /** The next stronger one, with the lines to write for it. */
  next: z.object({ kind: z.string(), strength: z.string(), needsChange: z.boolean(), snippet: z.string() }).nullable(),
});

/** What is known of a token; what it is recognised by stays in the ledger. */
export const tokenSummary = z.object({
  id: z.string(),
  role: z.string(),
  team: z.string().nullable(),
  description: z.string(),
  /** A token's id, or a part of rekey. */
  madeBy: z.string(),
  createdAt: time,
  expiresAt: time,
  /** To the minute. */
  lastUsedAt: time.nullable(),
  state: z.enum(["valid", "expired", "revoked"]),
});

/** A signed head, as it is exported and kept elsewhere. */
export const auditRow = z.object({
  id: z.number(),
  at: time,
  credentialId: z.string().nullable(),
  /** `team/name` */
  credential: z.string().nullable(),
  rotationId: z.string().nullable(),
  actor: z.string(),
  action: z.string(),
  details: z.record(z.string(), z.unknown()),
});

export const rotationPlan = z.object({
  credential: z.string(),
  environment: z.string(),
  order: z.string(),
  fromVersion: z.number().nullable(),
  minutes: z.number(),
  pointOfNoReturn: z.string(),
  steps: z.array(
    z.object({
      step: z.string(),
      reaches: z.string(),
      calls: z.array(z.string()),
      minutes: z.number(),
      crossesReturn: z.boolean(),
    }),
  ),
  consumers: z.array(
    z.object({
      ref: z.string(),
      /** `team/name` of the connection over which it is reached. */
      connection: z.string().nullable(),
      target: z.string(),
      wanted: z.string(),
      canGive: z.array(z.string()),
    }),
  ),
  lastUses: z.array(lastUse),
  warnings: z.array(z.string()),
});

const issue = z.object({
  file: z.string(),
  line: z.number(),
  column: z.number(),
  field: z.string(),
  text: z.string(),
});

const shown = z.union([z.string(), z.number(), z.boolean(), z.null()]);

export const applyAnswer = z.object({
  outcome: z.enum(["planned", "applied"]),
  digest: z.string(),
  items: z.array(
    z.object({
      kind: z.string(),
      ref: z.string(),
      action: z.enum(["create", "change", "unchanged"]),
      changes: z.array(z.object({ field: z.string(), from: shown, to: shown })),
      notes: z.array(z.string()),
    }),
  ),
});

/** RFC 9457, with a stable code and what to do next. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  next: z.string(),
  issues: z.array(issue).optional(),
});
