import { dataPath } from "../../systems/vault/kv.ts";
import type { Right } from "../../systems/vault/rights.ts";
import { placeIn, type VaultKvConfig } from "./config.ts";

/** The least that a registration needs. */
export const rightsFor = (config: VaultKvConfig): readonly Right[] => [
  { path: dataPath(placeIn(config)), capabilities: ["read", "patch"] },
];
