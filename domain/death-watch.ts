import { printable } from "./printable.ts";

/** What no death explains, and what that is called in the audit trail. */
export const afterDeath = {
  used: "version.used-after-death",
  revived: "version.revived",
  stranger: "emergency.stranger-found",
} as const;
export type AfterDeathKind = keyof typeof afterDeath;

export interface AfterDeath {
  readonly kind: AfterDeathKind;
  /** The same as long as it is the same client or key. */
  readonly key: string;
  /** For a person: where and by what, as far as the issuer shows it. */
  readonly text: string;
}

/** A key as the issuer lists it. */
interface Listed {
  readonly handle: string;
  readonly state: "live" | "disabled" | "ended";
}

interface Client {
  readonly principal: string;
  readonly database: string;
  readonly address: string;
  readonly applicationName: string;
}

/** What the ledger knows of a handle. */
export interface KnownVersion {
  readonly number: number;
  readonly isDead: boolean;
  /** Milliseconds; 0 while it lives. */
  readonly deadForMs: number;
}

export interface DeadLook {
  readonly number: number;
  readonly listed: readonly Listed[];
  /** Keyed by handle, read after the list. */
  readonly known: ReadonlyMap<string, KnownVersion>;
  /** A rotation is making a key whose handle the ledger may not have yet. */
  readonly isMaking: boolean;
  /** How long ago the look began. A version that died since may have been alive when it was listed. Milliseconds. */
  readonly tookMs: number;
  readonly sessions: readonly Client[];
  /** A use that the issuer tells of a time after the death. */
  readonly lastUse: { readonly at: string; readonly by: string } | undefined;
}

/** What a look at the issuer shows that should not be there. */
export function foundAfterDeath(look: DeadLook): readonly AfterDeath[] {
  const { number, listed, known, isMaking, tookMs, sessions, lastUse } = look;
  const alive = listed.filter(({ state }) => state === "live");
  return [
    ...sessions.map(({ principal, database, address, applicationName }): AfterDeath => {
      const where = `${name(address)}${applicationName === "" ? "" : `, application ${name(applicationName)}`}`;
      return {
        kind: "used",
        key: JSON.stringify([principal, database, address, applicationName]).slice(0, 500),
        text: `Version ${number} is dead, and somebody is logged in as ${name(principal)} from ${where}, in the database ${name(database)}.`,
      };
    }),
    ...(lastUse === undefined ? [] : [usedLast(number, lastUse)]),
    ...alive.flatMap(({ handle }): readonly AfterDeath[] => {
      const version = known.get(handle);
      if (version === undefined)
        return isMaking
          ? []
          : [
              {
                ...{ kind: "stranger", key: handle },
                text: `${name(handle)} can log in and is no version that rekey knows. It was not deleted: find out who made it.`,
              },
            ];
      if (!version.isDead || version.deadForMs <= tookMs) return [];
      return [
        {
          ...{ kind: "revived", key: handle },
          text: `Version ${version.number} (${name(handle)}) was proven dead, and can log in again: somebody has brought it back at the issuer.`,
        },
      ];
    }),
  ];
}

const usedLast = (number: number, { at, by }: NonNullable<DeadLook["lastUse"]>): AfterDeath => ({
  kind: "used",
  key: "last-use",
  text: `Version ${number} is dead, and was used at ${name(at)} by ${name(by)}.`,
});

/** A client says what it likes. */
const name = (text: string): string => printable(text, 120);

const soonestMs = 10_000;
const latestMs = 10 * 60_000;

/** Often just after the death, when keys that were made meanwhile come to light, and now and then later. Milliseconds. */
export const nextLookMs = (ageMs: number): number => Math.min(Math.max(ageMs / 20, soonestMs), latestMs);
