import { z } from "zod";

/** Names the shape and, as what is signed begins with it, keeps any other signature of the same key from standing for one. */
export const receiptFormat = "rekey/receipt/v1";

/** UTC with microseconds, as the ledger wrote it. */
const time = z.string();
/** `tok_…` of a person's or program's token, or `system:<part>`. */
const actor = z.string();

/** A signed head of the audit trail, as `rekey audit verify --anchor` takes it. Digests in hex, signature in base64. */
export const auditHead = z.object({
  instance: z.string(),
  position: z.number(),
  lastAuditId: z.number(),
  hash: z.string(),
  sealedAt: z.string(),
  signature: z.string(),
  keyId: z.string(),
});

const gap = z.object({
  code: z.string(),
  /** Of the same gap in each verdict and hold. */
  key: z.string(),
  text: z.string(),
});

const version = z.object({
  number: z.number(),
  /** Its name at the issuer. Never secret. */
  handle: z.string().nullable(),
});

const consumer = z.object({
  id: z.string(),
  /** `team/name` */
  name: z.string(),
  kind: z.string(),
  target: z.string(),
  deliveries: z.array(z.object({ version: z.number(), number: z.number(), at: time })),
  /** The latest of each source and version. */
  evidence: z.array(
    z.object({
      version: z.number(),
      source: z.string(),
      strength: z.string(),
      complete: z.boolean(),
      instances: z.number(),
      lacks: z.array(z.string()),
      at: time,
    }),
  ),
});

/** A row of the audit trail with its place in the chain and its seal, hex. */
const trailRow = z.object({ id: z.number(), position: z.number(), at: time, action: z.string(), hash: z.string() });

/** Somebody's demand that versions which had leaked be proven dead. */
const declaration = z.object({
  id: z.string(),
  by: actor,
  at: time,
  reason: z.string(),
  /** As it was declared; `continuity`: consumers move first. */
  way: z.enum(["continuity", "contain"]),
  /** In the end what had leaked was to end before its consumers had another: declared so, or because its time was over. */
  contained: z.boolean(),
  deadline: time,
  atDeadline: z.enum(["contain", "hold"]),
  /** Null: it was open when the receipt was made. */
  outcome: z.enum(["proven", "unproven"]).nullable(),
  closedAt: time.nullable(),
  /** That makes the clean version; null: none has begun. Another one's receipt says the rest. */
  carriedBy: z.string().nullable(),
  versions: z.array(
    z.object({
      number: z.number(),
      /** Seen refused, under controls; null: not yet, or never. */
      provenAt: time.nullable(),
      /** From the declaration to that. */
      seconds: z.number().nullable(),
    }),
  ),
  suspects: z.array(
    z.object({
      /** `team/name` */
      consumer: z.string(),
      /** Null: it gets nothing to this day. */
      releasedAt: time.nullable(),
      releasedBy: actor.nullable(),
      reason: z.string().nullable(),
    }),
  ),
  /** Its own row in the audit trail, which may be none of the rotation's. */
  row: trailRow,
});

/** What emergencies did to a rotation. */
const emergency = z.object({
  declarations: z.array(declaration),
  /** What would have kept routine work and did not keep this: `window`, `freeze`, `pause`, … */
  overridden: z.array(
    z.object({ what: z.string(), why: z.string().nullable(), until: time.nullable(), by: actor, at: time }),
  ),
  /** Consumers that had nothing which their issuer accepts, as far as evidence tells; `until` null: to this day. */
  broken: z.array(
    z.object({ consumer: z.string(), from: time, until: time.nullable(), seconds: z.number().nullable() }),
  ),
});

/**
 * What a receipt says of one closed rotation. Facts only: no value, no fingerprint. A section that is added later is
 * optional, so that older receipts stay what they are; what changes its meaning gets a new format.
 */
export const receiptBody = z.object({
  instance: z.string(),
  issuedAt: time,
  credential: z.object({
    id: z.string(),
    /** `team/name` */
    name: z.string(),
    environment: z.string(),
  }),
  issuer: z.object({
    kind: z.string(),
    /** `team/name` of the connection. */
    connection: z.string(),
    /** What the server called itself when the rotation was reserved. */
    identity: z.string().nullable(),
  }),
  rotation: z.object({
    id: z.string(),
    order: z.string(),
    /** Which way it went at its end. */
    direction: z.enum(["forward", "undo"]),
    requestedBy: actor,
    reason: z.string(),
    reservedAt: time,
    closedAt: time,
    outcome: z.enum(["proven", "undone", "closed-unproven", "failed-before-effect"]),
    /** Null: the credential had none. */
    from: version.nullable(),
    to: version,
  }),
  phases: z.array(z.object({ phase: z.string(), at: time })),
  consumers: z.array(consumer),
  verdicts: z.array(
    z.object({
      purpose: z.string(),
      clear: z.boolean(),
      at: time,
      standing: z.array(gap),
      accepted: z.array(
        /** Without anybody where the emergency waits for nobody. */
        gap.extend({ by: actor.nullable(), reason: z.string().nullable(), acceptedAt: time.nullable() }),
      ),
    }),
  ),
  holds: z.array(
    z.object({
      number: z.number(),
      phase: z.string(),
      code: z.string(),
      detail: z.string(),
      gaps: z.array(gap),
      openedAt: time,
      decision: z.string().nullable(),
      decidedBy: actor.nullable(),
      reason: z.string().nullable(),
      decidedAt: time.nullable(),
    }),
  ),
  commands: z.array(z.object({ kind: z.string(), by: actor, at: time, state: z.string() })),
  /** What was done at the issuer. */
  effects: z.array(z.object({ step: z.string(), at: time })),
  deaths: z.array(
    z.object({
      version: z.number(),
      at: time,
      /** The issuer's own, of its refusal. */
      code: z.string(),
      controls: z.string(),
      /** So many answers in a row; null where that was not recorded. */
      inRow: z.number().nullable(),
    }),
  ),
  /** Only where one had a say. */
  emergency: emergency.optional(),
  /** Who the actors above are. */
  actors: z.array(z.object({ id: actor, role: z.string(), description: z.string() })),
  audit: z.object({
    /** Every row of this rotation. */
    rows: z.array(trailRow),
    /** The first signed head that covers them all; null when none was signed yet. */
    head: auditHead.nullable(),
  }),
});

export type ReceiptBody = z.output<typeof receiptBody>;

/** The document: what is said, the digest of each part by its JSON pointer, and a signature over these digests. */
export const signedReceipt = z.object({
  format: z.literal(receiptFormat),
  receipt: receiptBody,
  /** SHA-256 of the part's RFC 8785 form, base64url; "" is the whole receipt. */
  digests: z.record(z.string(), z.string()),
  signature: z.object({ algorithm: z.literal("Ed25519"), keyId: z.string(), value: z.string() }),
});

export type SignedReceipt = z.output<typeof signedReceipt>;
