import type { z } from "zod";
import type { Code } from "../../domain/errors.ts";
import type { Init } from "./init.ts";
import type { Claim } from "../../domain/claim.ts";
import type { FieldDeclarations, Value } from "./value.ts";
import type { ConnectionKind } from "./connection.ts";
import type { ProviderContext } from "./context.ts";

/** `usage` shows who is on a version: now, or in a log. */
export interface SessionFacts {
  readonly covers: "snapshot" | "log";
  readonly grain: "version" | "principal";
  /** A snapshot can be kept up: `watch` sees every session that stays for so long. Milliseconds. */
  readonly watchedStayMs?: number;
}

/** How long to watch, and what to tell of the time before. Milliseconds. */
export interface WatchSpan {
  readonly forMs: number;
  /** A little of the time before too, where somebody was watching: two watches in a row leave no hole between them. */
  readonly backMs: number;
}

/** `lastUses` tells when a version was last used, and nothing of who is on it now. */
export interface LastUseFacts {
  readonly covers: "last-used";
  readonly grain: "version" | "principal";
  /** A use may have been so much later, or earlier, than the time that is told. Milliseconds. */
  readonly grainMs: number;
  /** A use may be told so long after it was. Milliseconds. */
  readonly lateByMs: number;
}

/** What is true of a kind of issuer; planner, guard, docs and conformance suite read these, nothing else. */
export interface IssuerFacts {
  /** `rekey`: we choose the value, custody has it before the issuer. `issuer`: it is minted and shown once. */
  readonly chooser: "rekey" | "issuer";
  /** How many versions can live at once in each order this kind supports. */
  readonly slots: { readonly overlap?: number; readonly "single-slot"?: number };
  readonly inactiveCounts: boolean;
  /** A version can be refused and brought back, by `disable` and `enable`. Absent: it cannot. */
  readonly canDisable?: boolean;
  readonly repeatedIssue: "same-version" | "new-version" | "destroys-old";
  /** How long a new version may be refused, and an ended one accepted, after the call returned. Milliseconds. */
  readonly activationLagMs: number;
  readonly deactivationLagMs: number;
  /** Refusal codes of `probe` that mean ended. Any other refusal is unknown. */
  readonly endedCodes: readonly string[];
  readonly usage: SessionFacts | LastUseFacts;
  readonly sessionsOutliveRevocation: boolean;
  /** In words: how a call of an outdated attempt is refused at the issuer. */
  readonly lateCallsRefusedBy: string;
}

/** Names one call with an effect: which version, in which operation, at whose turn. */
export interface EffectRequest {
  readonly handle: string;
  readonly operationKey: string;
  readonly claim: Claim;
}

export interface ChooseRequest {
  readonly operationKey: string;
  /** The number of the version to make, from 1. */
  readonly version: number;
  /** Handles of all versions that live at the issuer and must not be touched. */
  readonly keep: readonly string[];
}

export interface IssueRequest extends EffectRequest {
  readonly keep: readonly string[];
  /** Present when `facts.chooser` is `rekey`: what custody holds. */
  readonly chosen?: Value;
}

export interface Issued {
  readonly handle: string;
  readonly value: Value;
  /** The issuer's own clock when the version came into force, ISO 8601. */
  readonly effectiveAt: string;
}

/** One thing preflight found wrong. `mend` is what to run at the issuer, ready to paste, without secrets. */
export interface Finding {
  readonly code: Code;
  readonly detail: string;
  readonly mend?: string;
  /** Nothing of it is left once the newest live version has ended: what it is about is room for another one beside that. */
  readonly endsWithFormer?: true;
}

export interface PreflightRequest {
  /** Handles of live versions, newest last. */
  readonly live: readonly string[];
  readonly instance: string;
  readonly credential: string;
  /** Of the rotation that asks: what it has made already, and is asked of again after a crash, is nobody's leftover. */
  readonly operationKey?: string;
  /** The version that an undo would go back to: its value must be such that the issuer can take it again. */
  readonly former?: { readonly handle: string; readonly value: Value };
  /**
   * What has leaked ends before its consumers have another, and after that is made: what the effects themselves would find
   * missing, or what the new version would only be less for, need not be asked.
   */
  readonly hurries?: boolean;
}

export interface ProbeRequest {
  readonly handle: string;
  readonly value: Value;
  /** The newest version that the ledger holds as live; absent, the connection's own login is the control. */
  readonly control?: Value;
}

/** Accepted and refused count only under controls; everything else is unknown, with a code that says why. */
export interface ProbeAnswer {
  readonly verdict: "accepted" | "refused" | "unknown";
  /** `accepted`, or the issuer's refusal code, or a word for what made it unknown. */
  readonly code: string;
  /** Of an `unknown`: the issuer did say no to this value, though that proves nothing of its version. */
  readonly saysNo?: true;
  /** For an operator: what made it unknown and what to do about it, where the code does not say so by itself. */
  readonly why?: string;
  /** Each control that was asked in the same round, with its answer. */
  readonly controls: readonly { readonly control: string; readonly answer: string }[];
}

export interface ListedVersion {
  readonly handle: string;
  readonly state: "live" | "disabled" | "ended";
  /** False when no mark of ours is on it: a stranger. */
  readonly ours: boolean;
  /** Of a minted one: the key of the operation that made it, where the mark says so. */
  readonly operationKey?: string;
  /** Issuer's clock, ISO 8601: since when it is in its slot, where the issuer can say. Never later than in truth. */
  readonly effectiveAt?: string;
}

export interface SeenSession {
  readonly principal: string;
  readonly database: string;
  /** Client address as the issuer sees it; `local` for a Unix socket. */
  readonly address: string;
  readonly applicationName: string;
  /** Issuer's clock, ISO 8601. */
  readonly startedAt: string;
}

export interface Usage {
  /** Issuer's clock, ISO 8601. */
  readonly at: string;
  /**
   * Keyed by handle. rekey's own sessions are left out. In a single slot all versions share one login, so that each
   * handle gets the same sessions and the reader tells them apart by `startedAt`.
   */
  readonly sessions: Readonly<Record<string, readonly SeenSession[]>>;
}

export interface LastUse {
  /** Issuer's clock, ISO 8601; as exact as `facts.usage` says. */
  readonly at: string;
  /** By what and where, in the issuer's words, for a person. It excuses nobody. */
  readonly by: string;
}

export interface LastUses {
  /** Issuer's clock when it was asked, ISO 8601. */
  readonly at: string;
  /**
   * Keyed by handle. Null: never used, as far as the issuer tells yet. Absent: it knows no such version any more. rekey's own
   * uses are among them, because an issuer that tells nothing but the last one cannot leave them out.
   */
  readonly lastUsed: Readonly<Record<string, LastUse | null>>;
}

export interface EndedSessions {
  readonly ended: number;
  readonly remaining: number;
}

export interface IssuerSession {
  /** A stable name of the very server reached, compared before every effect. */
  identify(): Promise<string>;
  preflight(request: PreflightRequest): Promise<readonly Finding[]>;
  /** Only where `facts.chooser` is `rekey`: makes a value and says which slot (handle) it is for. No effect. */
  choose?(request: ChooseRequest): Promise<{ handle: string; value: Value }>;
  issue(request: IssueRequest): Promise<Issued>;
  /**
   * Ends a candidate that nobody needs. Succeeds when it is gone already. Where it is to put the former value back into a
   * single slot, it says since when that is in force, by the issuer's clock: since its return, or since it was first set
   * where the candidate never took its place (1970 for one that a person set). Without an answer nothing is known.
   */
  abandon(
    request: EffectRequest & { readonly restore?: { readonly handle: string; readonly value: Value } },
  ): Promise<void | { readonly effectiveAt: string }>;
  probe(request: ProbeRequest): Promise<ProbeAnswer>;
  list(): Promise<readonly ListedVersion[]>;
  revoke(request: EffectRequest): Promise<void>;
  disable?(request: EffectRequest): Promise<void>;
  /** Sets the value again. Without one, which custody may have lost, the version comes back with what it had. */
  enable?(request: EffectRequest & { readonly value?: Value }): Promise<void>;
  /** Exactly where `facts.usage` covers sessions; `lastUses` where it covers the last use. Neither: it shows no use. */
  usage?(handles: readonly string[]): Promise<Usage>;
  /** As `usage`, with everybody who was there in the meantime, however short. Exactly where `facts.usage` has `watchedStayMs`. */
  watch?(handles: readonly string[], span: WatchSpan): Promise<Usage>;
  lastUses?(handles: readonly string[]): Promise<LastUses>;
  /**
   * Ends what `sessionsOutliveRevocation` leaves. `since` and `before`: only sessions begun at or after the one time and
   * before the other (issuer's clock).
   */
  endSessions?(request: EffectRequest & { readonly since?: string; readonly before?: string }): Promise<EndedSessions>;
  close(): Promise<void>;
}

export interface IssuerOpening<Connection, Config> {
  /** Address, TLS and so on, checked by `connectionSchema`. */
  readonly connection: Connection;
  /** The connection's own secret: the fields of `adminFields`. */
  readonly admin: Value;
  readonly config: Config;
  readonly instance: string;
  readonly credential: string;
}

/** A kind of issuer as data. `open` reaches the system; nothing else in the folder is exported to the rest. */
export interface IssuerDefinition<Connection = unknown, Config = unknown> extends ConnectionKind<Connection> {
  readonly title: string;
  readonly facts: IssuerFacts;
  readonly fields: FieldDeclarations;
  /** The one field that challenge and fingerprint use. */
  readonly authenticator: string;
  readonly configSchema: z.ZodType<Config>;
  orderOf(config: Config): "overlap" | "single-slot";
  /** Every login name that this credential may use at the issuer. */
  principalsOf(config: Config): readonly string[];
  /**
   * The handle of a version that a person made: the login that the value names, which has `adoptedFields` at least. Refuses
   * one that is none of ours.
   */
  handleOf(config: Config, value: Value, version: number): string;
  /** The fields of today's value that a person gives when a credential is adopted; the rest follow from them. */
  readonly adoptedFields: readonly string[];
  /** The whole value of a version that a person made, from `adoptedFields`. */
  complete(connection: Connection, config: Config, given: Value): Value;
  /** A look before anything is registered, for kinds that can say what it takes. */
  readonly init?: Init;
  /**
   * Handles that stand in a text, for kinds whose handles have a form that nothing else has. They are no secrets, but
   * those who look for leaked secrets often report nothing else.
   */
  handlesIn?(text: string): readonly string[];
  open(opening: IssuerOpening<Connection, Config>, context: ProviderContext): Promise<IssuerSession>;
}
