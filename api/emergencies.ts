import { parseSelector, type LabelCondition } from "../domain/labels.ts";
import type { Scope } from "../domain/scope.ts";
import { listCredentials } from "../ledger/credential-views.ts";
import { declareEmergency, previewEmergency, releaseConsumer, type EmergencyRequest } from "../ledger/emergencies.ts";
import { listEmergencies, readExposed, type ExposedCredential } from "../ledger/emergency-views.ts";
import type { Request } from "./client.ts";
import { findConsumer } from "./consumers.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { findCredentialId } from "./find-credential.ts";
import { asProblem, ProblemError } from "./problem.ts";
import { refuseSecretReason } from "./refuse-secret-reason.ts";
import { showEmergency } from "./show-emergency.ts";

type Names = "previewEmergency" | "declareEmergency" | "listEmergencies" | "releaseConsumer";
type Demand = Omit<Request<"declareEmergency">["body"], "credentials" | "reason" | "suspects"> & {
  readonly suspects: readonly string[];
};

export const emergencyHandlers: Handlers<Names> = {
  async previewEmergency({ body, actor, scope }, deps) {
    const { credentials, labels, reason, ...demand } = body;
    const ids = await idsOf(deps, scope, { credentials, labels });
    if (reason !== undefined) for (const id of ids) await refuseSecretReason(deps, id, reason);
    return asJson(await each(deps, ids, { demand, actor, reason: "preview", act: previewEmergency }));
  },

  async declareEmergency({ body, actor, scope }, deps) {
    const { credentials, reason, ...demand } = body;
    if (reason.trim() === "") throw new ProblemError("request_invalid", 'Say what has leaked, with --reason "…".');
    const ids = await idsOf(deps, scope, { credentials });
    for (const id of ids) await refuseSecretReason(deps, id, reason);
    return asJson(await each(deps, ids, { demand, actor, reason, act: declareEmergency }));
  },

  async listEmergencies({ query }, { ledger }) {
    const emergencies = await listEmergencies(ledger.db, { onlyOpen: query.open === "true", limit: query.limit });
    return asJson({ now: new Date().toISOString(), emergencies: emergencies.map(showEmergency) });
  },

  async releaseConsumer({ params, body, actor, scope }, deps) {
    const found = await findConsumer(deps, scope, params.consumer, body.credential);
    await refuseSecretReason(deps, found.credentialId, body.reason);
    const ref = `${found.team}/${found.name}`;
    if (!(await releaseConsumer(deps.ledger, { consumerId: found.id, actor, reason: body.reason })))
      throw new ProblemError(
        "request_invalid",
        `Consumer ${ref} is not suspected: there is nothing to release it from.`,
      );
    return { consumer: ref };
  },
};

const atMost = 500;

async function idsOf(
  { ledger }: ApiDeps,
  scope: Scope,
  {
    credentials,
    labels,
  }: { readonly credentials?: readonly string[] | undefined; readonly labels?: string | undefined },
): Promise<readonly string[]> {
  if ((credentials === undefined) === (labels === undefined))
    throw new ProblemError("request_invalid", "Name the credentials, or labels that choose them (-l): one of the two.");
  if (labels === undefined) {
    const ids = await Promise.all((credentials ?? []).map(async (name) => findCredentialId(ledger, scope, name)));
    return [...new Set(ids)];
  }
  const { team, environment, selector } = choiceOf(labels);
  const found = await listCredentials(ledger.db, { scope, team, environment, selector, limit: atMost });
  if (found.length === 0)
    throw new ProblemError("not_found", "No credential has those labels. List them: rekey credential list -l LABELS");
  if (found.length === atMost)
    throw new ProblemError(
      "request_invalid",
      `More than ${atMost - 1} credentials have those labels: choose fewer at a time.`,
    );
  return found.map(({ id }) => id);
}

/** `team` and `environment` are no labels of their own: people write them as if they were. */
function choiceOf(labels: string): {
  readonly team?: string;
  readonly environment?: string;
  readonly selector: readonly LabelCondition[];
} {
  const selector = parseSelector(labels);
  if (selector === undefined)
    throw new ProblemError(
      "request_invalid",
      "The labels cannot be read. Write them as kubectl takes them: team=shop,environment=production,tier=gold.",
    );
  const plain = (name: string): string | undefined =>
    selector.find(({ key, wants }) => key === name && wants === "is")?.value;
  const team = plain("team");
  const environment = plain("environment");
  return {
    ...(team === undefined ? {} : { team }),
    ...(environment === undefined ? {} : { environment }),
    selector: selector.filter(({ key, wants }) => wants !== "is" || (key !== "team" && key !== "environment")),
  };
}

interface Wanted {
  readonly demand: Demand;
  readonly actor: string;
  readonly reason: string;
  readonly act: typeof declareEmergency;
}

/** Whoever asks gives up after 30 s, and would not know what was done by then. */
const enoughMs = 15_000;

/**
 * One alone is refused with what it meets. Of many each is answered for itself: one that is gone or fails keeps none of the
 * others from being declared, and whoever asks is told which is which.
 */
async function each(deps: ApiDeps, ids: readonly string[], wanted: Wanted) {
  const { demand } = wanted;
  if (ids.length > 1 && (demand.versions !== undefined || demand.suspects.length > 0))
    throw new ProblemError(
      "request_invalid",
      "Versions and suspected consumers are those of one credential: name one.",
    );
  const affected = [];
  const missed = [];
  const end = performance.now() + enoughMs;
  for (const id of ids) {
    let exposed: ExposedCredential | undefined;
    try {
      if (performance.now() > end)
        throw new ProblemError("ledger_busy", "The call was over before its turn came. Nothing was done about it.");
      exposed = await readExposed(deps.ledger.db, id);
      if (exposed === undefined)
        throw new ProblemError("not_found", "There is no such credential any more. List them: rekey credential list");
      affected.push(await one(deps, id, exposed, wanted));
    } catch (error) {
      if (ids.length === 1) throw error;
      missed.push({ credentialId: id, credential: exposed?.credential ?? null, ...whyMissed(deps, error) });
    }
  }
  return { affected, missed };
}

function whyMissed({ log }: ApiDeps, error: unknown) {
  const { code, title, detail, next } = asProblem(error);
  if (code !== "internal") return { code, title, detail, next };
  log.error("emergency.missed", { error: error instanceof Error ? (error.stack ?? error.name) : typeof error });
  return { code, title, detail: "The API's log has the place. Nothing was done about it.", next };
}

async function one(
  deps: ApiDeps,
  credentialId: string,
  exposed: ExposedCredential,
  { demand, actor, reason, act }: Wanted,
) {
  const { credential, environment, policy, consumers } = exposed;
  const suspects = suspectsAmong(exposed, demand.suspects);
  const contain = demand.contain ?? policy.emergencyOrder === "contain-first";
  const deadlineMs = demand.deadlineMs ?? policy.emergencyDeadlineMs;
  const atDeadline = demand.atDeadline ?? policy.emergencyOutcome;
  const request: EmergencyRequest = {
    ...{ credentialId, versions: demand.versions, reason, actor, contain, deadlineMs, atDeadline, suspects },
    whenFull: demand.whenFull,
  };
  const declared = await act(deps.ledger, request);
  if (declared === undefined)
    throw new ProblemError("not_found", "There is no such credential. List them: rekey credential list");
  if (declared.how === "unknown-version")
    throw new ProblemError(
      "request_invalid",
      `${credential} has no version ${declared.missing.join(", ")}. Its versions: rekey credential show ${credential}`,
    );
  return {
    ...{ credentialId, credential, environment, versions: declared.versions, how: declared.how },
    ...{ dead: declared.dead, revived: declared.revived, unproven: declared.unproven, unmade: declared.unmade },
    alsoNamed: declared.alsoNamed.map(({ version, suspects: having }) => ({ version, suspects: [...having] })),
    rotationId: act === declareEmergency || declared.how !== "reserved" ? (declared.rotationId ?? null) : null,
    emergencyId: act === declareEmergency ? (declared.emergencyId ?? null) : null,
    refusal: declared.refusal ?? null,
    ...{ contain, deadlineMs, atDeadline, whenFull: demand.whenFull ?? null },
    older: exposed.older.map(({ version, heldBy }) => ({ version, heldBy: [...heldBy] })),
    consumers: consumers.map(({ id, ...rest }) => ({ ...rest, isSuspect: suspects.includes(id) })),
  };
}

function suspectsAmong({ credential, consumers }: ExposedCredential, wanted: readonly string[]): readonly string[] {
  return wanted.map((name) => {
    const found = consumers.find(({ id, ref }) => id === name || ref === name || ref.endsWith(`/${name}`));
    if (found !== undefined) return found.id;
    const known = consumers.map(({ ref }) => ref).join(", ");
    throw new ProblemError(
      "request_invalid",
      `One of the suspects is no consumer of ${credential}. Its consumers: ${known === "" ? "none" : known}.`,
    );
  });
}
