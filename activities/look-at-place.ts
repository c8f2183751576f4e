import { versionRef } from "../custody/refs.ts";
import { embeddedPlace } from "../domain/custody-place.ts";
import type { Look } from "../domain/look.ts";
import { newId } from "../ledger/new-id.ts";
import type { StepDeps } from "./step-deps.ts";

/** Places of custody besides the ledger itself, which a worker could not run without. */
export const placesElsewhere = ({ custody }: Pick<StepDeps, "custody">): readonly string[] =>
  custody.places.filter((place) => place !== embeddedPlace);

/** Asks a place of custody for a value that nobody ever put there: it answers, and rekey's own login may read. */
export async function lookAtPlace(
  { custody }: Pick<StepDeps, "custody">,
  { place, instance, pool }: { readonly place: string; readonly instance: string; readonly pool: string },
): Promise<readonly Look[]> {
  const nobodys = versionRef({
    ...{ instance, pool, number: 1 },
    credentialId: newId("credential"),
    versionId: newId("version"),
  });
  await custody.at(place).get(nobodys);
  return [{ about: aboutPlace(place), state: "ok", text: "It answers, and its login may read there." }];
}

export const aboutPlace = (place: string): string => `Custody place ${place}, asked by a worker`;
