import type { BaseTables } from "./base-tables.ts";

/** Every table that kysely may name. Those of the rotation join when their functions do. */
export interface Tables extends BaseTables {}
