import { OperatorNeededError, RekeyError } from "../../../domain/errors.ts";
import type { ConsumerFinding } from "../../contract/consumer.ts";
import type { Value } from "../../contract/value.ts";
import { getObject, isAllowed } from "./api.ts";
import { forbidden } from "./api-error.ts";
import { fullQuotas, lookAt } from "./cluster.ts";
import { restarts, workloadRight, workloadsOf } from "./config.ts";
import { heldIn, largestSecret, sizeWith, wantedOf, writtenOver } from "./content.ts";
import { immutable, rivalry, tooLarge } from "./deliver.ts";
import { templateOf, workloadObject, type SecretObject } from "./objects.ts";
import { foreignHands, keeperOf } from "./owners.ts";
import { rightsOf, rulesFor, type Right } from "./rights.ts";
import { needsRoom, withheldBy } from "./rollout.ts";
import { asked, keysOf, readSecret, type Target } from "./target.ts";
import { unreadBy } from "./users.ts";

/** Whatever the service account may not do of what it will be asked to, in one finding. */
async function missingRights({ api, config }: Target): Promise<readonly ConsumerFinding[]> {
  const missing: Right[] = [];
  for (const right of rulesFor(config).flatMap(rightsOf)) if (!(await isAllowed(api, right))) missing.push(right);
  return missing.length === 0 ? [] : [forbidden(missing, config.namespace)];
}

function aboutSecret(target: Target, secret: SecretObject, values: readonly Value[]): readonly ConsumerFinding[] {
  const { config, consumer } = target;
  const found: ConsumerFinding[] = [];
  if (secret.immutable === true) found.push(immutable(target));
  const rival = rivalry(target, secret);
  if (rival !== undefined) found.push(rival);
  const held = heldIn(secret, config);
  const isFull = values.some(
    (value) => sizeWith(secret, writtenOver(held, wantedOf(value, config), config)) > largestSecret,
  );
  if (isFull) found.push(tooLarge(target));
  const keeper = keeperOf(secret, keysOf(target), consumer);
  if (keeper !== undefined && config.takesOver !== true)
    found.push({
      code: "target_drift",
      detail: `${keeper.name} keeps this Secret and would put its own value back. ${foreignHands(secret, keysOf(target), consumer).join(" ")} Tell it to leave our keys (${keeper.advice}), then say so in the registration (takesOver: true) and apply it.`,
    });
  return found;
}

async function aboutWorkloads(target: Target): Promise<readonly ConsumerFinding[]> {
  const { api, config } = target;
  if (!restarts(config)) return [];
  const full = fullQuotas(await lookAt(target));
  const found: ConsumerFinding[] = [];
  for (const workload of workloadsOf(config)) {
    const { kind, name } = workload;
    const object = await getObject(api, workloadRight(workload), workloadObject);
    const say = (detail: string) => found.push({ code: "reload_failed", detail });
    if (object === undefined) {
      say(`There is no ${kind}/${name} in namespace ${config.namespace}. Correct workloads of the registration.`);
      continue;
    }
    const unread = unreadBy(`${kind}/${name}`, templateOf(object)?.spec ?? {}, asked(target));
    if (unread !== undefined) found.push({ code: "target_refused", detail: `${unread} ${otherWays}` });
    for (const text of withheldBy({ kind, name, object }, config.namespace)) say(text);
    if (kind === "Deployment" && full.length > 0 && needsRoom(object))
      say(
        `The quota ${full.join(", ")} leaves no room for the one pod more that a rollout of ${kind}/${name} needs. Raise it, or let the rollout end a pod first (maxUnavailable: 1).`,
      );
  }
  return found;
}

/** What a pod's description cannot show. */
const otherWays =
  "If it reads them in another way, through the API or a CSI driver, say restart: false and let other evidence speak (sessions or challenge).";

/** Looks at all that would stop a delivery or a restart; what stops the look itself is a finding too. */
export async function preflight(target: Target, values: readonly Value[]): Promise<readonly ConsumerFinding[]> {
  try {
    const rights = await missingRights(target);
    if (rights.length > 0) return rights.map(asFinding);
    const secret = await readSecret(target);
    return [...aboutSecret(target, secret, values), ...(await aboutWorkloads(target))].map(asFinding);
  } catch (error) {
    if (error instanceof RekeyError && (error instanceof OperatorNeededError || error.code === "value_unfit"))
      return [asFinding(error)];
    throw error;
  }
}

const asFinding = ({ code, detail }: ConsumerFinding): ConsumerFinding => ({ code, detail });
