import { TransientError } from "../domain/errors.ts";
import {
  addVersion,
  createSecret,
  moveStage,
  outlineOf,
  readCurrent,
  restore,
  scheduleDeletion,
  type Outline,
  type SecretPlace,
} from "./aws-secret.ts";
import { current, forgottenId, isForgotten, valueId } from "./aws-version.ts";

/** How often others may come in between before somebody has to ask again. */
const mostLooks = 8;

const busy = () =>
  new TransientError(
    "custody_unreachable",
    "The secret in AWS is being changed by others again and again. It will be tried again.",
  );

/** What a secret is: never made, holding a value, or a place whose value was forgotten. */
export type Held =
  | { readonly state: "absent" }
  | { readonly state: "kept"; readonly text: string }
  | { readonly state: "forgotten"; readonly id: string; readonly isMarked: boolean };

/**
 * Only a value that we have overwritten is forgotten. One in a secret that is marked for deletion was meant by nobody of
 * ours: a call that came late did it, or a person did, and it is restored before AWS carries that out.
 */
export async function look(place: SecretPlace): Promise<Held> {
  for (let turn = 0; turn < mostLooks; turn += 1) {
    const found = await readCurrent(place);
    if (found === "absent") return { state: "absent" };
    if (found !== "unreadable")
      return isForgotten(found.id)
        ? { state: "forgotten", id: found.id, isMarked: false }
        : { state: "kept", text: found.text };
    const outline = await outlineOf(place);
    if (outline?.isMarked !== true) continue;
    const id = outline.current;
    if (id !== undefined && isForgotten(id)) return { state: "forgotten", id, isMarked: true };
    await restore(place);
  }
  throw busy();
}

/** Undefined where it went through; the error where nobody knows whether it did, so that somebody has to look. */
async function lost(work: Promise<unknown>): Promise<TransientError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof TransientError) return error;
    throw error;
  }
}

/** What lies there afterwards, whoever put it. */
export async function keep(place: SecretPlace, tie: string, text: string): Promise<Held> {
  // Refused wherever anything was, for as long as such a call can be on its way: one that comes late revives nothing.
  const notMade = await lost(createSecret(place, { id: valueId(tie, undefined), text }));
  const found = await look(place);
  if (found.state === "absent" && notMade !== undefined) throw notMade;
  if (found.state !== "forgotten") return found;
  if (found.isMarked) await restore(place);
  const id = valueId(tie, found.id);
  await addVersion(place, { id, text });
  const notMoved = await lost(moveStage(place, current, found.id, id));
  const kept = await look(place);
  if (kept.state !== "kept" && notMoved !== undefined) throw notMoved;
  return kept;
}

const mark = JSON.stringify({ format: "rekey/custody/v1", forgotten: true });

/** What has no stage is found by nobody who does not know its id, and goes with the secret at the latest. */
async function strip(place: SecretPlace, { stages, current: kept }: Outline): Promise<void> {
  for (const [stage, id] of stages) if (id !== kept) await moveStage(place, stage, id);
}

/**
 * Overwrites, takes every stage from what was there, and has AWS delete the secret. What is current is overwritten even if
 * that is a mark already: a move to a newer value that is still on its way comes too late then.
 */
export async function forget(place: SecretPlace): Promise<void> {
  let isOverwritten = false;
  let ours: string | undefined;
  for (let turn = 0; turn < mostLooks; turn += 1) {
    const outline = await outlineOf(place);
    const holder = outline?.current;
    if (outline === undefined || holder === undefined) return;
    if (holder === ours) isOverwritten = true;
    const isClean = isForgotten(holder) && outline.stages.every(([, id]) => id === holder);
    if (outline.isMarked) {
      if (isClean) return;
      // A deletion knows no check: it may have met a value that was put after ours was forgotten.
      await restore(place);
    } else if (!isOverwritten) {
      ours = forgottenId(holder);
      await addVersion(place, { id: ours, text: mark });
      isOverwritten = await moveStage(place, current, holder, ours);
    } else {
      await strip(place, outline);
      // Put since, by somebody who saw that it was forgotten.
      if (!isForgotten(holder)) return;
      await scheduleDeletion(place);
    }
  }
  throw busy();
}
