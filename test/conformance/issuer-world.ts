import { notApplicable, type Lacks } from "./applicability.ts";
import type { IssuerDefinition, IssuerSession } from "../../providers/contract/issuer.ts";
import type { ProviderLog } from "../../providers/contract/context.ts";
import type { Value } from "../../providers/contract/value.ts";

/** One login as the issuer itself shows it to somebody who is not the provider. */
export interface SeenVersion {
  readonly name: string;
  /** Some value could log in with it. */
  readonly isLive: boolean;
  /** Digest of all that it is at the issuer (value, state, mark): changes when anything touches it. */
  readonly fingerprint: string;
}

export interface OpenedSession {
  isOpen(): Promise<boolean>;
}

export interface OpenHow {
  readonly signal?: AbortSignal;
  readonly log?: ProviderLog;
  /** Acts for another instance of rekey, or another credential, on the same logins. */
  readonly instance?: string;
  readonly credential?: string;
}

/** What a world can do to its issuer, each behind the provider's back. The world undoes it in `close`. */
export interface IssuerAbilities {
  /** Any value logs in, right or wrong. */
  acceptEverything(): Promise<void>;
  /** A rule in front of the logins refuses these, however right the value. The connection's own is not touched. */
  refuseByRule(values: readonly Value[]): Promise<void>;
  /** Nobody answers any more, until `bringUp`. */
  takeDown(): Promise<void>;
  bringUp(): Promise<void>;
  /** The login takes no further session. */
  fillConnectionLimit(value: Value): Promise<void>;
  /** The login is locked by too many wrong tries. */
  lockOut(value: Value): Promise<void>;
  /** Wrong tries that the issuer counts against the login. */
  wrongTriesOn(value: Value): Promise<number>;
  /** A person makes a live version on a free login of this credential, telling nobody. */
  makeStranger(): Promise<Value>;
  /** A person made version 1 before rekey came: it carries no mark, and the ledger knows it. */
  makeFirstByHand(): Promise<{ readonly handle: string; readonly value: Value }>;
  /** Gives the version another secret, as its own user could. */
  changeSecretByHand(value: Value): Promise<void>;
  /** A session of an application. `disguised`: it names itself as rekey's own would. */
  openSession(value: Value, how?: { readonly disguised?: boolean }): Promise<OpenedSession>;
  openSessionsOf(value: Value): Promise<number>;
  /** A session that does not go the first time it is ended. */
  openStubbornSession(value: Value): Promise<void>;
  /** A worker whose next call with an effect is on its way, and lands only after `release`. */
  holdNextEffect(): Promise<{
    readonly session: IssuerSession;
    readonly onItsWay: Promise<void>;
    release(): void;
  }>;
  /** A worker whose next call with an effect is applied, and whose answer is lost. */
  loseNextAnswer(): Promise<IssuerSession>;
  /** The issuer's own clock, ISO 8601. */
  clock(): Promise<string>;
  /** The connection loses the right to change logins. */
  takeRight(): Promise<void>;
  openWithWrongAdmin(): Promise<IssuerSession>;
  /** A credential whose login is the connection's own. */
  openOnOwnPrincipal(): Promise<IssuerSession>;
  /** Another server that answers the same calls. */
  openOnTwin(): Promise<IssuerSession>;
  /** The issuer mints this text as its next secret. */
  mintNext(text: string): Promise<void>;
}

/** A real or fake issuer with one fresh credential, as somebody outside sees and shakes it. */
export interface IssuerWorld {
  readonly definition: IssuerDefinition;
  readonly connection: unknown;
  readonly config: unknown;
  /** For whom `open` acts unless told otherwise. */
  readonly instance: string;
  readonly credential: string;
  /** A session as another worker would hold it: it shares nothing with the others but the issuer. */
  open(how?: OpenHow): Promise<IssuerSession>;
  /** Logs in itself. */
  logsIn(value: Value): Promise<"accepted" | "refused">;
  /** Every login of this credential. */
  listBehindBack(): Promise<readonly SeenVersion[]>;
  nameOf(value: Value): string;
  /** Returns when the lags that the definition declares are over. */
  settle(): Promise<void>;
  readonly abilities: { readonly [Name in keyof IssuerAbilities]: IssuerAbilities[Name] | Lacks };
  close(): Promise<void>;
}

/** The ability, or the end of the clause with the world's reason. */
export function ability<Name extends keyof IssuerAbilities>(world: IssuerWorld, name: Name): IssuerAbilities[Name] {
  const found = world.abilities[name];
  if (typeof found === "function") return found as IssuerAbilities[Name];
  return notApplicable(`${name}: ${found.lacks}`);
}
