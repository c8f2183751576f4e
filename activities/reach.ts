import { connectionSecretRef, versionRef } from "../custody/refs.ts";
import type { CustodyRef } from "../custody/custody.ts";
import { ledBy, OperatorNeededError, PermanentError, RekeyError } from "../domain/errors.ts";
import type { ConnectionCase, PinnedConnections, RotationCase, VersionCase } from "../ledger/rotation-cases.ts";
import type { ConsumerDefinition } from "../providers/contract/consumer.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import type { EvidenceDefinition } from "../providers/contract/evidence.ts";
import type { IssuerDefinition, IssuerSession } from "../providers/contract/issuer.ts";
import type { Value } from "../providers/contract/value.ts";
import { counted, countedOpen } from "./count-calls.ts";
import { onBudget } from "./on-budget.ts";
import { failpoint } from "./failpoint.ts";
import type { StepDeps } from "./step-deps.ts";

/** What it takes to open a session at an issuer. */
export interface IssuerPlace {
  readonly instance: string;
  readonly credentialId: string;
  readonly config: unknown;
  readonly connection: ConnectionCase;
  /** What the rotation began with; absent for a check. */
  readonly pinned?: { readonly connections: PinnedConnections };
  /** True: a server that nobody has seen yet is no reason to stop. */
  readonly mayMeet?: boolean;
  /** It hurries: it may spend the share of the connection's budget that is kept for emergencies. */
  readonly urgent?: boolean;
}

function known<Definition>(all: Readonly<Record<string, Definition>>, what: string, kind: string): Definition {
  const definition = all[kind];
  if (definition === undefined)
    throw new PermanentError("internal", `This worker knows no ${what} "${kind}". Run the release that registered it.`);
  return definition;
}

export const issuerOf = ({ catalog }: StepDeps, kind: string): IssuerDefinition =>
  known(catalog.issuers, "issuer", kind);

export const collectorOf = ({ catalog }: StepDeps, kind: string): EvidenceDefinition =>
  known(catalog.collectors, "evidence", kind);

export const consumerKindOf = ({ catalog }: Pick<StepDeps, "catalog">, kind: string): ConsumerDefinition =>
  known(catalog.consumers, "consumer", kind);

/**
 * The connection's own secret, which its settings of now still open, unless it was edited since the rotation was reserved.
 * @throws {OperatorNeededError} `connection_changed`, `custody_missing`
 */
export async function secretOf(
  { custody }: StepDeps,
  connection: ConnectionCase,
  { instance, pinned }: Pick<IssuerPlace, "instance" | "pinned">,
): Promise<Value> {
  if ((pinned?.connections[connection.id] ?? connection.revision) !== connection.revision)
    throw new OperatorNeededError(
      "connection_changed",
      `Connection ${connection.name} was edited after this rotation had begun. If it still leads to the same server, retry; else put the former settings back first.`,
    );
  const secret = await custody.get(connectionSecretRef(connection, instance));
  if (secret !== undefined) return secret;
  throw new OperatorNeededError(
    "custody_missing",
    `The secret of connection ${connection.name} is not in custody. Apply its manifest again with \`secretFrom\`.`,
  );
}

/** Of rekey's own login, which a person gives anew at the connection. */
export function isAboutLogin(error: unknown): boolean {
  return (
    error instanceof RekeyError &&
    (error.code === "login_expired" || error.code === "issuer_auth_failed" || error.code === "target_auth_failed")
  );
}

/**
 * Opens the issuer for one piece of work and closes it again. The server is compared with the one that the ledger knows
 * each time, so that a changed address or a failover is noticed before the next effect.
 */
export async function withIssuer<T>(
  deps: StepDeps,
  place: IssuerPlace,
  context: ProviderContext,
  work: (session: IssuerSession, definition: IssuerDefinition) => Promise<T>,
): Promise<T> {
  const { connection } = place;
  const definition = issuerOf(deps, connection.kind);
  const admin = await secretOf(deps, connection, place);
  return deps.scrubber.withHeld([admin], async () => {
    const open = async () =>
      definition.open(
        {
          connection: definition.connectionSchema.parse(connection.settings),
          admin,
          config: definition.configSchema.parse(place.config),
          instance: place.instance,
          credential: place.credentialId,
        },
        onBudget(deps, context, connection, place.urgent === true),
      );
    const session = counted(await countedOpen(open, connection.kind, deps.calls), connection.kind, deps.calls);
    try {
      const identity = await session.identify();
      const isKnown = connection.identity !== undefined || place.pinned === undefined || place.mayMeet === true;
      if (!isKnown || (connection.identity !== undefined && identity !== connection.identity))
        throw new OperatorNeededError(
          "issuer_identity_changed",
          `Connection ${connection.name} reaches another server than before. Nothing was done there. Point it at the right one, then retry.`,
        );
      return await work(session, definition);
    } catch (error) {
      throw isAboutLogin(error) ? ledBy(error, `Connection ${connection.name}: `) : error;
    } finally {
      await session.close();
    }
  });
}

/** The call with an effect, and the place where its answer can be lost. */
export async function effect<T>(step: string, call: () => Promise<T>): Promise<T> {
  failpoint(step, "call");
  const answer = await call();
  failpoint(step, "B2");
  return answer;
}

export function refOf(one: RotationCase, version: VersionCase): CustodyRef {
  return versionRef({
    instance: one.instance,
    credentialId: one.credentialId,
    number: version.number,
    versionId: version.versionId,
    pool: one.connection.pool,
  });
}

/** The value of a version; a step that needs it cannot go on without. */
export async function valueOf(deps: StepDeps, one: RotationCase, version: VersionCase): Promise<Value> {
  const value = await deps.custody.get(refOf(one, version));
  if (value === undefined && version.isUnknown)
    throw new OperatorNeededError(
      "custody_missing",
      `Nobody has given rekey the value of version ${version.number} of ${one.credentialName}, so that it can neither be delivered nor tried at the issuer. Where consumers need it, put it back there yourself.`,
    );
  if (value === undefined)
    throw new OperatorNeededError(
      "custody_missing",
      `The value of version ${version.number} of ${one.credentialName} is not in custody. Restore the custody's data, then retry.`,
    );
  return value;
}

/** The version that is to be replaced. No rotation is reserved without one. */
export function formerOf(one: RotationCase): VersionCase & { readonly handle: string } {
  const { from } = one;
  if (from?.handle === undefined)
    throw new PermanentError("internal", "The rotation has no former version, which reserving it should have refused.");
  return { ...from, handle: from.handle };
}

/** The candidate, once it has been chosen. */
export function candidateOf(one: RotationCase): VersionCase & { readonly handle: string } {
  const { to } = one;
  if (to.handle === undefined)
    throw new PermanentError("internal", "The candidate has no handle although it was issued.");
  return { ...to, handle: to.handle };
}
