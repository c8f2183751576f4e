import type { IssuerDefinition, IssuerOpening, IssuerSession, LastUses, ListedVersion } from "../../contract/issuer.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { Secret } from "../../contract/secret.ts";
import { revealField } from "../../contract/value.ts";
import type { Aws } from "../../systems/aws/aws.ts";
import { callerOf, identityOf, lookAtAccount } from "../../systems/aws/identity.ts";
import { awsAdminFields, type AwsSettings } from "../../systems/aws/settings.ts";
import { configSchema, connectionSchema, fields, handleOf, handlesIn, type UserConfig } from "./config.ts";
import { abandonKey, disableKey, enableKey, issueKey, revokeKey } from "./effects.ts";
import { preflight } from "./preflight.ts";
import { probeKey, unknownKey } from "./probe.ts";
import { madeBy, survey, type Scope } from "./survey.ts";
import { lastUseOf, slots, type ManagedUser } from "./user.ts";

const codes = {
  unreachable: "issuer_unreachable",
  authFailed: "issuer_auth_failed",
  refused: "principal_missing",
} as const;

/** How long AWS may be behind itself. Milliseconds. */
export interface Lags {
  /** A fresh key is refused. */
  readonly activationMs: number;
  /** An ended one is accepted. */
  readonly deactivationMs: number;
  /** Lists and tags show what was. */
  readonly listMs: number;
  /** A use of a key is not told yet. */
  readonly lastUsedMs: number;
  /** Of the uses within such a span only the first is noted. */
  readonly lastUsedGrainMs: number;
}

const awsOf = (
  settings: AwsSettings,
  admin: IssuerOpening<AwsSettings, UserConfig>["admin"],
  context: Pick<ProviderContext, "fetch" | "signal">,
): Aws => ({ settings, secretAccessKey: new Secret(revealField(admin, "secretAccessKey")), codes, context });

async function listKeysOf(scope: Scope): Promise<readonly ListedVersion[]> {
  const seen = await survey(scope);
  return seen.keys.map(({ id, isActive, createdAtMs }) => {
    const operationKey = madeBy(seen, id, scope.owner);
    return {
      handle: id,
      state: isActive ? "live" : "disabled",
      ours: operationKey !== undefined,
      ...(operationKey === undefined ? {} : { operationKey }),
      effectiveAt: new Date(createdAtMs).toISOString(),
    };
  });
}

async function lastUsesOf(user: ManagedUser, handles: readonly string[]): Promise<LastUses> {
  const found = await Promise.all(handles.map(async (id) => ({ id, told: await lastUseOf(user, id) })));
  const lastUsed = found.flatMap(({ id, told }) => (told === undefined ? [] : [[id, told.use] as const]));
  const times = found.flatMap(({ told }) => told?.atMs ?? []);
  const atMs = times.length === 0 ? Date.now() : Math.min(...times);
  return { at: new Date(atMs).toISOString(), lastUsed: Object.fromEntries(lastUsed) };
}

function sessionOf(
  { connection, admin, config, instance, credential }: IssuerOpening<AwsSettings, UserConfig>,
  context: ProviderContext,
  listLagMs: number,
): IssuerSession {
  const user: ManagedUser = { aws: awsOf(connection, admin, context), name: config.user };
  const scope: Scope = { user, owner: { instance, credential }, listLagMs };
  return {
    identify: async () => identityOf((await callerOf(user.aws)).account),
    preflight: async (request) => preflight(scope, request),
    issue: async (request) => issueKey(scope, request),
    abandon: async (request) => abandonKey(scope, request),
    probe: async (request) => probeKey(user, request),
    list: async () => listKeysOf(scope),
    revoke: async (request) => revokeKey(scope, request),
    disable: async (request) => disableKey(scope, request),
    enable: async (request) => enableKey(scope, request),
    lastUses: async (handles) => lastUsesOf(user, handles),
    close: async () => Promise.resolve(),
  };
}

/** With other lags for a stand-in that is quicker than AWS. */
export function accessKeyIssuer(lags: Lags): IssuerDefinition<AwsSettings, UserConfig> {
  return {
    kind: "aws-iam-access-key",
    title: "Access key of an IAM user",
    facts: {
      chooser: "issuer",
      slots: { overlap: slots },
      inactiveCounts: true,
      canDisable: true,
      repeatedIssue: "new-version",
      activationLagMs: lags.activationMs,
      deactivationLagMs: lags.deactivationMs,
      endedCodes: [unknownKey],
      usage: { covers: "last-used", grain: "version", grainMs: lags.lastUsedGrainMs, lateByMs: lags.lastUsedMs },
      sessionsOutliveRevocation: false,
      lateCallsRefusedBy:
        "an id that is never given again; the claim in the user's tags, looked at over the lag, again right before a key is made inactive or active, and after it; a late key is found by the tag that was written before it, and ended. Not refused: what IAM itself gets late, since it compares nothing",
    },
    fields,
    authenticator: "secretAccessKey",
    adminFields: awsAdminFields,
    connectionSchema,
    configSchema,
    orderOf: () => "overlap",
    principalsOf: ({ user }) => [user],
    // Only the key tells whose it is; preflight and each issue ask.
    adminPrincipalOf: () => "",
    handleOf,
    handlesIn,
    adoptedFields: ["accessKeyId", "secretAccessKey"],
    complete: (_connection, _config, given) => given,
    open: async (opening, context) => Promise.resolve(sessionOf(opening, context, lags.listMs)),
    look: async ({ connection, admin }, context) => lookAtAccount(awsOf(connection, admin, context)),
  };
}

/**
 * Of a key's uses within a quarter of an hour the first is noted. How late it is told AWS does not say of keys; of what else
 * it tells of last use, "usually within four hours".
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
 */
const lastUse = { lastUsedMs: 4 * 3_600_000, lastUsedGrainMs: 15 * 60_000 };

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency */
export const awsIamAccessKey = accessKeyIssuer({
  activationMs: 15_000,
  deactivationMs: 5000,
  listMs: 4000,
  ...lastUse,
});
