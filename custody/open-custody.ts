import { embeddedPlace } from "../domain/custody-place.ts";
import { OperatorNeededError } from "../domain/errors.ts";
import { createCustodyPlaces } from "../ledger/custody-places.ts";
import { createCustodyRows } from "../ledger/custody-rows.ts";
import type { Ledger } from "../ledger/database.ts";
import type { ProviderLog } from "../providers/contract/context.ts";
import type { Egress } from "../providers/contract/egress.ts";
import type { Custody } from "./custody.ts";
import { createEmbeddedCustody } from "./embedded.ts";
import type { KeyRing } from "./key-file.ts";
import { custodyKinds, type CustodyKind } from "./kinds.ts";
import { namedPlace } from "./named-place.ts";
import { routeCustody, type RoutedCustody } from "./route.ts";

/** A place as the settings name it: its kind, and what that kind wants to know. */
export interface PlaceSettings {
  readonly kind: string;
  readonly [setting: string]: unknown;
}

export interface CustodyOptions {
  /** Of `REKEY_CUSTODIES_FILE`, by name. */
  readonly places: Readonly<Record<string, PlaceSettings>>;
  readonly ledger: Ledger;
  /** Of the embedded place. */
  readonly keys: KeyRing;
  readonly fetch: Egress;
  readonly log: ProviderLog;
}

/**
 * Opens every place that the settings name, and the embedded one. API and worker must be given the same ones.
 * @throws {OperatorNeededError} `setting_invalid` for an entry that its kind does not take.
 */
export function openCustody(
  { places, ledger, keys, fetch, log }: CustodyOptions,
  kinds: Readonly<Record<string, CustodyKind>> = custodyKinds,
): RoutedCustody {
  const others = new Map<string, Custody>();
  for (const [place, { kind, ...given }] of Object.entries(places)) {
    if (place === embeddedPlace) throw wrong(place, "is always there and takes no settings. Call yours otherwise.");
    const definition = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (definition === undefined)
      throw wrong(place, `has a kind that this program does not know. It knows: ${Object.keys(kinds).join(", ")}.`);
    const settings = definition.settingsSchema.safeParse(given);
    // Where it is wrong, never what was written there: it may be a secret in the wrong place.
    if (!settings.success) {
      const [first] = settings.error.issues;
      const where = first?.path.join(".") ?? "";
      const says = first?.code === "unrecognized_keys" ? "has a setting that nobody knows" : "is not valid";
      throw wrong(place, `${says}${where === "" ? "" : ` at "${where}"`}. See docs/custody.md for kind ${kind}.`);
    }
    others.set(place, namedPlace(place, definition.open({ place, settings: settings.data, fetch, log })));
  }
  const embedded = createEmbeddedCustody({ rows: createCustodyRows(ledger.db), keys });
  return routeCustody({ embedded, others, book: createCustodyPlaces(ledger.db) });
}

const wrong = (place: string, advice: string) =>
  new OperatorNeededError("setting_invalid", `REKEY_CUSTODIES_FILE: the place "${place}" ${advice}`);
