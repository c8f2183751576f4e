import { OperatorNeededError } from "../../../domain/errors.ts";
import type { ProviderContext } from "../../contract/context.ts";
import type { IssuerOpening, IssuerSession, ListedVersion, Usage } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField } from "../../contract/value.ts";
import { healthOf } from "../../systems/vault/health.ts";
import { identityOf } from "../../systems/vault/look.ts";
import { sides } from "../../systems/vault/side.ts";
import { openVault } from "../../systems/vault/vault.ts";
import { allOf } from "./api.ts";
import { readHandle, unmarked, writtenHandle, type ConnectionConfig, type CredentialConfig } from "./config.ts";
import { abandon, issue, revoke } from "./effects.ts";
import { isOurs } from "./mark.ts";
import { preflight } from "./preflight.ts";
import { probe } from "./probe.ts";
import type { Scope } from "./scope.ts";
import { endTokens, revokeToken, seenOf, tokensOf, type Token } from "./tokens.ts";

async function list(scope: Scope): Promise<readonly ListedVersion[]> {
  return (await allOf(scope)).map(({ accessor, mark, isExpired, createdAt }) => ({
    handle: writtenHandle({ accessor, mark: mark?.mark ?? unmarked }),
    state: isExpired ? "ended" : "live",
    ours: isOurs(mark, scope),
    ...(mark === undefined ? {} : { operationKey: mark.operationKey }),
    effectiveAt: createdAt,
  }));
}

/** Vault's clock, in whole seconds: never later than in truth. */
async function clock({ vault, signal }: Scope): Promise<string> {
  const health = await healthOf(vault, signal);
  if (health === undefined)
    throw new OperatorNeededError(
      "issuer_unreachable",
      "The server does not tell its time (sys/health). Let it, then retry.",
    );
  return new Date(health.server_time_utc * 1000).toISOString();
}

/** The tokens that this session's own probes made, until they are gone. */
function ownTokens() {
  const accessors = new Set<string>();
  const underWay = new Set<Promise<unknown>>();
  return {
    isOwn: ({ accessor }: Token): boolean => accessors.has(accessor),
    note: (accessor: string) => void accessors.add(accessor),
    /** Until this has ended, a token of it may be listed before its accessor is known here. */
    async during<T>(work: Promise<T>): Promise<T> {
      underWay.add(work);
      return work.finally(() => underWay.delete(work));
    },
    settled: async () => Promise.allSettled(underWay),
  };
}

export async function openSession(
  opening: IssuerOpening<ConnectionConfig, CredentialConfig>,
  { signal, fetch }: ProviderContext,
): Promise<IssuerSession> {
  const { connection: settings, admin, config, instance, credential } = opening;
  const secret = async () => Promise.resolve(new Secret(revealField(admin, "secret")));
  const vault = openVault({ settings, secret, fetch, side: sides.issuer });
  const scope: Scope = { vault, signal, config, instance, credential };
  const own = ownTokens();
  const keep = async (accessor: string) => {
    own.note(accessor);
    await revokeToken(scope, accessor);
  };
  return {
    identify: async () => {
      await vault.login(signal);
      return identityOf(vault, signal);
    },
    preflight: async (request) => preflight(scope, request),
    issue: async (request) => issue(scope, request),
    abandon: async (request) => abandon(scope, request),
    probe: async (request) => own.during(probe(scope, request, keep)),
    list: async () => list(scope),
    revoke: async (request) => revoke(scope, request),
    async usage(handles): Promise<Usage> {
      const at = await clock(scope);
      const tokens = await tokensOf(scope);
      await own.settled();
      const seen = handles.map((handle) => {
        const of = readHandle(handle);
        const mine = tokens.filter((token) => token.mark === of.mark && !own.isOwn(token));
        return [handle, mine.map((token) => seenOf(token, scope, of))] as const;
      });
      return { at, sessions: Object.fromEntries(seen) };
    },
    endSessions: async (request) => endTokens(scope, request, own.isOwn),
    close: async () => vault.close(signal),
  };
}
