import type { Client } from "@temporalio/client";

type History = Awaited<ReturnType<ReturnType<Client["workflow"]["getHandle"]>["fetchHistory"]>>;

/** Whether the workflow's history shows that the step has answered that it is done. */
export async function isStepCompleted(temporal: Client, rotationId: string, step: string): Promise<boolean> {
  const history = await temporal.workflow
    .getHandle(`rotate/${rotationId}`)
    .fetchHistory()
    .catch(() => undefined);
  return history !== undefined && isCompleted(history, step);
}

function isCompleted({ events }: History, step: string): boolean {
  const scheduled = new Map<string, string>();
  for (const event of events ?? []) {
    const name = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (name !== undefined && name !== null) scheduled.set(String(event.eventId), name);
    const completed = event.activityTaskCompletedEventAttributes;
    if (completed === undefined || completed === null) continue;
    if (scheduled.get(String(completed.scheduledEventId)) !== step) continue;
    const [payload] = completed.result?.payloads ?? [];
    const answer: unknown = JSON.parse(Buffer.from(payload?.data ?? []).toString("utf8"));
    if (isFinal(answer)) return true;
  }
  // Promoting is a local activity: that the step after it was scheduled says that its answer is in the history.
  return step === "promote" && [...scheduled.values()].includes("drain");
}

const isFinal = (answer: unknown): boolean =>
  typeof answer === "object" && answer !== null && "now" in answer && (answer.now === "done" || answer.now === "over");
