import { versionRef } from "../../custody/refs.ts";
import { OperatorNeededError, type Code } from "../../domain/errors.ts";
import { printable } from "../../domain/printable.ts";
import { adoptVersion, readAdoptCase, type AdoptCase } from "../../ledger/adopt-cases.ts";
import type { ProviderContext } from "../../providers/contract/context.ts";
import type { Finding, IssuerSession, PreflightRequest } from "../../providers/contract/issuer.ts";
import { Secret } from "../../providers/contract/secret.ts";
import type { Value } from "../../providers/contract/value.ts";
import { probeNew, reason } from "../probe-rounds.ts";
import { withIssuer } from "../reach.ts";
import type { CheckWork } from "../run-check.ts";
import type { StepDeps } from "../step-deps.ts";

/** Logs in with today's value, under controls, and takes it as version 1. */
export const adopt: CheckWork = async ({ deps, check: { checkId }, context }) => {
  const check = await readAdoptCase(deps.ledger.db, checkId);
  if (check === undefined)
    throw new OperatorNeededError("not_found", "The value that was given is gone. Give it again.");
  const { instance, credentialId, credentialName, config, connection, version } = check;
  const { versionId, number } = version;
  if (check.username !== null) return adoptUnknown(deps, check, check.username, context);
  const value = await deps.custody.get(
    versionRef({ instance, credentialId, number, versionId, pool: connection.pool }),
  );
  if (value === undefined)
    throw new OperatorNeededError(
      "custody_missing",
      `The value that was given for ${credentialName} is not in custody. Give it again: \`rekey credential show ${credentialName}\` names the command.`,
    );
  await withIssuer(deps, check, context, async (session, definition) => {
    const identity = await session.identify();
    const handle = definition.handleOf(definition.configSchema.parse(config), value, number);
    const rounds = { inRow: 1, lagMs: 0, signal: context.signal };
    const answer = await deps.scrubber.withHeld([value], async () =>
      probeNew(session, definition.facts, { handle, value }, rounds),
    );
    if (answer.verdict !== "accepted")
      throw new OperatorNeededError(
        "candidate_refused",
        answer.verdict === "refused" || answer.saysNo === true
          ? `The server refuses this ${definition.authenticator}${nameOf(value)}. Type the one that the application uses now. Nothing was changed (${answer.code}).`
          : `Whether the issuer accepts the value cannot be said (${answer.code}).${reason(answer)} Nothing was changed. Look at the issuer, then adopt again.`,
      );
    await deps.scrubber.withHeld([value], async () => findUnprovable(session, check, { handle, value }));
    const authenticator = value[definition.authenticator];
    const fingerprint = authenticator instanceof Secret ? deps.fingerprints.of(authenticator) : undefined;
    const change = { versionId, handle, ...(fingerprint === undefined ? {} : { fingerprint }) };
    await adoptVersion(deps.ledger, check, { identity, version: change });
  });
  return "recorded";
};

const nameOf = ({ username }: Value): string => (typeof username === "string" ? ` for ${printable(username)}` : "");

/** Takes a login as version 1 whose value nobody knows: it has to be there, and such that later questions can be put. */
async function adoptUnknown(
  deps: StepDeps,
  check: AdoptCase,
  username: string,
  context: ProviderContext,
): Promise<"recorded"> {
  const { instance, credentialId: credential, config, version } = check;
  await withIssuer(deps, check, context, async (session, definition) => {
    const handle = definition.handleOf(definition.configSchema.parse(config), { username }, version.number);
    const found = await session.preflight({ live: [handle], instance, credential });
    refuse(found.find(({ code }) => notWithoutValue.has(code)));
    const identity = await session.identify();
    await adoptVersion(deps.ledger, check, { identity, version: { versionId: version.versionId, handle } });
  });
  return "recorded";
}

const notWithoutValue: ReadonlySet<Code> = new Set([
  "transport_unverified",
  "principal_missing",
  "principal_is_connection",
  "handle_taken",
]);

/** What is asked of the issuer later, it must be able to answer at all. The rest is the business of a preflight. */
async function findUnprovable(
  session: IssuerSession,
  { instance, credentialId: credential }: AdoptCase,
  former: NonNullable<PreflightRequest["former"]>,
): Promise<void> {
  const found = await session.preflight({ live: [former.handle], instance, credential, former });
  refuse(found.find(({ code }) => code === "transport_unverified" || code === "value_unfit"));
}

function refuse(found: Finding | undefined): void {
  if (found === undefined) return;
  const { code, detail, mend } = found;
  throw new OperatorNeededError(code, mend === undefined ? detail : `${detail}\n${mend}`);
}
