import { adoptHint } from "../manifests/adopt-command.ts";
import { planRotation, type PlanDurations } from "../domain/plan.ts";
import type { Policy } from "../domain/policy.ts";
import type { Scope } from "../domain/scope.ts";
import type { Catalog } from "../providers/catalog.ts";
import { evidenceOf } from "./consumer-evidence.ts";
import { readExisting, refOf } from "./credentials.ts";
import type { ApiDeps } from "./deps.ts";
import { lastUsesOf, lastUseWarning } from "./last-use.ts";
import { ProblemError } from "./problem.ts";
import { watchWarning } from "./watch-warning.ts";
import type { Answer } from "./route-table.ts";

type Facts = Catalog["issuers"][string]["facts"];

/** What one call to an issuer or a target takes, generously. */
const callMs = 1_000;

function durationsOf(policy: Policy, { activationLagMs, deactivationLagMs }: Facts): PlanDurations {
  const rounds = policy.answersInRow * policy.lookEveryMs;
  return {
    issueMs: 2 * callMs + activationLagMs,
    deliverMs: callMs,
    adoptMs: policy.observeForMs + policy.lookEveryMs,
    graceMs: policy.graceMs + policy.observeForMs,
    disabledForMs: policy.disabledForMs,
    revokeMs: callMs + rounds,
    proveMs: deactivationLagMs + rounds,
  };
}

/** What a rotation of the credential would do as everything stands now. */
export async function planOf(
  { ledger, catalog }: ApiDeps,
  scope: Scope,
  reference: string,
): Promise<Answer<"planRotation">> {
  const found = await readExisting(ledger, scope, reference);
  if (found.isShared)
    throw new ProblemError("forbidden", `Team ${found.team} owns it, and sees what a rotation of it does to whom.`);
  const definition = catalog.issuers[found.kind];
  if (definition === undefined)
    throw new ProblemError(
      "request_invalid",
      "This program does not know the credential's kind. Run the newer release.",
    );
  const consumers = found.consumerList.map((consumer) => ({
    consumerId: consumer.id,
    name: `${consumer.team}/${consumer.name}`,
    connection: consumer.connection?.ref ?? null,
    target: consumer.target,
    restarts: restartsOf(catalog, consumer),
    ...evidenceOf(catalog, consumer, found.policy),
  }));
  const plan = planRotation({
    order: found.order,
    issuer: found.kind,
    consumers,
    durations: durationsOf(found.policy, definition.facts),
    canDisable: definition.facts.canDisable ?? false,
  });
  return {
    credential: `${found.team}/${found.name}`,
    environment: found.environment,
    order: found.order,
    fromVersion: found.currentVersion,
    minutes: plan.minutes,
    pointOfNoReturn: plan.pointOfNoReturn,
    steps: plan.steps.map((step) => ({ ...step, calls: [...step.calls] })),
    consumers: consumers.map(({ name, connection, target, wanted, canGive }) => ({
      ref: name,
      connection,
      target,
      wanted,
      canGive: [...canGive],
    })),
    lastUses: [...lastUsesOf(catalog, found.kind, found.versions.filter(isCurrent(found)))],
    warnings: [
      ...warningsOf(catalog, found, definition),
      ...lastUseWarning(catalog, found, consumers),
      ...watchWarning(catalog, found),
      ...plan.warnings,
    ],
  };
}

function restartsOf({ consumers }: Catalog, { kind, config }: { kind: string; config: unknown }): readonly string[] {
  const definition = consumers[kind];
  return definition?.restartsOf?.(definition.configSchema.parse(config)) ?? [];
}

const isCurrent =
  ({ currentVersion }: Found) =>
  ({ number }: Found["versions"][number]): boolean =>
    number === currentVersion;

type Found = Awaited<ReturnType<typeof readExisting>>;

function warningsOf(catalog: Catalog, found: Found, definition: Catalog["issuers"][string]): readonly string[] {
  const adopting = adoptHint(definition, refOf(found), found.principals);
  return [
    ...(found.currentVersion === null ? [`It has no current version: ${adopting}`] : []),
    ...(found.versions.some(({ number, isUnknown }) => isUnknown && number === found.currentVersion)
      ? [
          "Nobody has given its value of today: the rotation asks before it writes over what the consumers have, which no undo could put back, and before the old version ends, whose death no login can show.",
        ]
      : []),
    ...found.consumerList.flatMap(
      ({ kind, target, team, name }) => catalog.consumers[kind]?.noteOf?.(target, `${team}/${name}`) ?? [],
    ),
    ...withoutSecret(found).map((ref) => `Connection ${ref} has no secret: apply its manifest with secretFrom.`),
    ...(found.openRotation === null ? [] : [`Rotation ${found.openRotation.id} is open; it ends first.`]),
  ];
}

/** The connections that are used and have none, each once. */
function withoutSecret({ connection, consumerList }: Found): readonly string[] {
  const used = [connection ?? [], consumerList.flatMap((consumer) => consumer.connection ?? [])].flat();
  return [...new Set(used.filter(({ hasSecret }) => !hasSecret).map(({ ref }) => ref))];
}
