import { makeContinueAsNewFunc, proxyActivities, proxyLocalActivities, workflowInfo } from "@temporalio/workflow";
import type { RotationSteps } from "../activities/create-activities.ts";
import type { Order, Step } from "../domain/order.ts";
import { lookUntil } from "./look-until.ts";

/**
 * One rotation. Each step asks the ledger whether it is due, acts under a claim, and records what it did; so the story
 * may begin anew at any point, in any process, and goes on where the ledger says that it is.
 */
const story = {
  overlap: [
    "preflight", // reach, rights, room, names and targets are looked at; nothing is changed, but that room is made where that was chosen
    "issue", //     the candidate is made beside the version in use, and accepted by its issuer
    "deliver", //   each consumer's target holds it
    "adopt", //     each consumer has shown that it runs on it
    "promote", //   it is the current version
    "drain", //     the grace is over, everybody has been asked again
    "disable", //   the old version is refused and can still be restored
    "guard", //     the last look on newer evidence: from here there is only forward
    "revoke", //    the old version is ended, and so are its sessions
    "prove", //     it was seen refused, under controls
    "close", //     its value is destroyed
  ],
  "single-slot": [
    "preflight",
    "stage", //     the new value rests in custody
    "cut", //       it takes the place of the former one, which can still be set again
    "deliver",
    "adopt",
    "promote",
    "drain",
    "end", //       sessions that began before the cut are gone
    "prove",
    "close",
  ],
  // Those that only an emergency chooses: what has leaked is dead before anybody has the new version.
  "contain-first": ["preflight", "issue", "guard", "revoke", "prove", "deliver", "adopt", "promote", "close"],
  // The issuer has no room for one beside what has leaked, which ends first.
  "contain-in-place": ["preflight", "guard", "revoke", "issue", "prove", "deliver", "adopt", "promote", "close"],
  // A person has given up the proof.
  "contain-unproven": ["preflight", "issue", "guard", "revoke", "deliver", "adopt", "promote", "close"],
  "contain-slot-unproven": ["preflight", "stage", "cut", "end", "deliver", "adopt", "promote", "close"],
  "contain-single-slot": ["preflight", "stage", "cut", "end", "prove", "deliver", "adopt", "promote", "close"],
} as const satisfies Record<Order, readonly Step[]>;

/** Where nothing waits for routine work: workflows of what hurries, and their steps. */
const urgentQueue = "rekey.urgent";
const hurry = makeContinueAsNewFunc<typeof rotateCredential>({ taskQueue: urgentQueue });

const { readOrder, promote } = proxyLocalActivities<RotationSteps>({ startToCloseTimeout: "30 seconds" });
const steps = proxyActivities<RotationSteps>({
  taskQueue: "rekey.default",
  startToCloseTimeout: "5 minutes",
  heartbeatTimeout: "5 seconds",
  retry: { initialInterval: "500 milliseconds", maximumInterval: "10 seconds" },
});

const { rush } = proxyActivities<RotationSteps>({
  taskQueue: "rekey.default.urgent",
  startToCloseTimeout: "5 minutes",
  heartbeatTimeout: "5 seconds",
  retry: { initialInterval: "100 milliseconds", maximumInterval: "5 seconds" },
});

export async function rotateCredential(rotationId: string): Promise<void> {
  // Promoting changes the ledger alone: it needs no task queue and no second hop.
  const take = async (step: Step) => (step === "promote" ? promote(rotationId) : steps[step](rotationId));
  const look = lookUntil(rotationId);
  if (workflowInfo().taskQueue === urgentQueue) {
    await look("rush", async () => rush(rotationId));
    return;
  }
  const order = await readOrder(rotationId);
  if (order === null) return;
  for (const step of story[order]) {
    const answer = await look(step, async () => take(step));
    if (answer === "done") continue;
    if (answer === "over") return;
    if (answer === "urgent") return hurry(rotationId);
    const undone = answer === "undo" ? await look("undo", async () => steps.undo(rotationId)) : undefined;
    if (undone === "over") return;
    return undone === "urgent" ? hurry(rotationId) : rotateCredential(rotationId);
  }
  // It was led back to a step that lay behind already.
  return rotateCredential(rotationId);
}
