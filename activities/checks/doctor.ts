import type { Look } from "../../domain/look.ts";
import { readDoctorPlaces, type DoctorPlaces } from "../../ledger/doctor-places.ts";
import type { ProviderContext } from "../../providers/contract/context.ts";
import { inTurns, type LookWork } from "../look-in-turns.ts";
import { aboutPlace, lookAtPlace, placesElsewhere } from "../look-at-place.ts";
import { lookAtConnection, lookAtConsumer, lookAtCredential } from "../look-outside.ts";
import type { CheckScene, CheckWork } from "../run-check.ts";

/** Of each kind of place. Whoever has more is told how many were left out. */
const most = 200;

/**
 * Looks at every place outside that rotations need: each look in its own time, all of them in six times that. Changes
 * nothing. Arguments: `lookMs`.
 */
export const doctor: CheckWork = async (scene) => {
  const { deps, check, context } = scene;
  const lookMs = Number(check.arguments["lookMs"]);
  const places = await readDoctorPlaces(deps.ledger.db, check.pool, most);
  const looks = await inTurns(worksOf(scene, places), { lookMs, endMs: lookMs * 6 }, context);
  return {
    ok: true,
    findings: [],
    result: {
      looks: [...looks, ...leftOut(places)],
      release: deps.about.release,
      temporal: await temporalOf(scene, lookMs),
    },
  };
};

async function temporalOf({ deps }: CheckScene, lookMs: number): Promise<string | null> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, lookMs, null).unref());
  return Promise.race([deps.about.temporal().catch(() => null), late]);
}

function worksOf(scene: CheckScene, places: DoctorPlaces): readonly LookWork[] {
  const { instance } = places;
  return [
    ...placesElsewhere(scene.deps).map((place) => ({
      about: aboutPlace(place),
      look: async () => lookAtPlace(scene.deps, { place, instance, pool: scene.check.pool }),
    })),
    ...places.connections.map((one) => ({
      about: `Connection ${one.name}`,
      look: async (context: ProviderContext) => lookAtConnection(scene, places.instance, one, context),
    })),
    ...places.credentials.map((one) => ({
      about: `Credential ${one.name}`,
      look: async (context: ProviderContext) => lookAtCredential(scene, places.instance, one, context),
    })),
    ...places.consumers.map((one) => ({
      about: `Consumer ${one.team}/${one.name}`,
      look: async (context: ProviderContext) => lookAtConsumer(scene, places.instance, one, context),
    })),
  ];
}

const leftOut = ({ connections, credentials, consumers, counts }: DoctorPlaces): readonly Look[] =>
  [
    ["connections", counts.connections - connections.length] as const,
    ["credentials", counts.credentials - credentials.length] as const,
    ["consumers", counts.consumers - consumers.length] as const,
  ].flatMap(([noun, count]) =>
    count <= 0
      ? []
      : [
          {
            about: `More ${noun}`,
            state: "ok" as const,
            text: `${count} were left out: ${most} are looked at each time, in turn by chance. Every rotation looks by itself before it begins.`,
          },
        ],
  );
