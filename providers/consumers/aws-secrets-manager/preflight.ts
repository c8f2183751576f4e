import { OperatorNeededError, RekeyError } from "../../../domain/errors.ts";
import type { ConsumerFinding } from "../../contract/consumer.ts";
import type { Value } from "../../contract/value.ts";
import { rightMissing } from "../../systems/aws/api-error.ts";
import { callerOf, notAllowed } from "../../systems/aws/identity.ts";
import { assertRoom, heldIn, textWith, wantedOf } from "./content.ts";
import { callsOn } from "./connection.ts";
import { unwritable } from "./deliver.ts";
import { describe, readCurrent, resourceOf, type Described, type Target } from "./target.ts";
import { current } from "./version.ts";

const asFinding = ({ code, detail }: ConsumerFinding): ConsumerFinding => ({ code, detail });

/** Somebody else who would change the same secret, without being asked. */
function rivals({ config: { secret } }: Target, { rotatesItself, stages }: Described): readonly ConsumerFinding[] {
  const found: ConsumerFinding[] = [];
  if (rotatesItself)
    found.push({
      code: "target_drift",
      detail: `AWS rotates the secret ${secret} by itself, with a function of its own: two rotators would overwrite each other. Turn one off (aws secretsmanager cancel-rotate-secret --secret-id ${secret}), then retry.`,
    });
  const pending = stages.get("AWSPENDING");
  if (pending !== undefined && pending !== stages.get(current))
    found.push({
      code: "target_drift",
      detail: `A rotation by AWS was left half-done at the secret ${secret}: a version waits under AWSPENDING, and whoever ends that rotation overwrites what rekey delivers. End it, or take the stage away (aws secretsmanager update-secret-version-stage --secret-id ${secret} --version-stage AWSPENDING --remove-from-version-id ${pending.slice(0, 64)}); then retry.`,
    });
  return found;
}

/** Asked of the secret's own ARN; named by the pattern that fits it also when it is made anew. */
async function missingRights(target: Target, { arn: secret }: Described): Promise<readonly ConsumerFinding[]> {
  const { arn } = await callerOf(target.aws);
  const missing = (await notAllowed(target.aws, arn, callsOn(secret))) ?? [];
  return missing.map(({ action }) => rightMissing({ action, resource: resourceOf(target) }));
}

/** Looks at all that would stop a delivery; what stops the look itself is a finding too. */
export async function preflight(target: Target, values: readonly Value[]): Promise<readonly ConsumerFinding[]> {
  const { config } = target;
  try {
    const described = await describe(target);
    const rights = await missingRights(target, described);
    if (rights.length > 0) return rights.map(asFinding);
    const found: ConsumerFinding[] = [...rivals(target, described)];
    const obstacle = unwritable(target, described);
    if (obstacle !== undefined) found.push(obstacle);
    const text = (await readCurrent(target))?.text;
    heldIn(text, config);
    for (const value of values) assertRoom(textWith(text, wantedOf(value, config), config), config);
    return found.map(asFinding);
  } catch (error) {
    const isFinding =
      error instanceof OperatorNeededError ||
      (error instanceof RekeyError && ["value_unfit", "target_full"].includes(error.code));
    if (isFinding) return [asFinding(error)];
    throw error;
  }
}

/** Everything of a delivery but the write, which would leave a version behind: AWS has no dry run of it. */
export async function rehearse(target: Target, value: Value): Promise<string> {
  const [found] = await preflight(target, [value]);
  if (found !== undefined) throw new OperatorNeededError(found.code, found.detail);
  const { lastAccessed } = await describe(target);
  const read =
    lastAccessed === undefined
      ? "Nobody has read it yet, as far as AWS tells"
      : `It was last read on ${lastAccessed.toISOString().slice(0, 10)}; AWS tells the day, and not by whom`;
  return `The secret was read, a made-up value fits beside what else it holds, and nothing was written: AWS has no dry run. ${read}.`;
}
