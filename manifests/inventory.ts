import { z } from "zod";
import type { Inventory } from "../ledger/registry-views.ts";

const criticalities = ["low", "medium", "high", "critical"] as const;

const texts = (what: string) =>
  z
    .array(z.string().min(1, `must name ${what}`).max(200, "must be 200 characters at most"))
    .max(100, "must be 100 at most")
    .refine((given) => new Set(given).size === given.length, "must name each once");

const dateText = "must be a day such as 2027-03-31, or a time with its zone such as 2027-03-31T12:00:00Z";

const isoDate = z.union([z.iso.date(dateText), z.iso.datetime({ offset: true, error: dateText })]);

/** The fields of `Credential.spec` that people read: who answers for it, and what it opens to whom. */
export const inventoryFields = (team: z.ZodType<string>) => ({
  owner: team.optional(),
  backupOwner: team.optional(),
  criticality: z.enum(criticalities).optional(),
  scopes: texts("a scope").optional(),
  expiresAt: isoDate.optional(),
  readers: texts("a system or vendor").optional(),
});

/** Without the fields that are not given, in the order in which people write them. */
export function inventoryOf({ owner, backupOwner, criticality, scopes, expiresAt, readers }: Inventory): Inventory {
  return Object.fromEntries(
    Object.entries({ owner, backupOwner, criticality, scopes, expiresAt, readers }).filter(
      ([, value]) => value !== undefined && (!Array.isArray(value) || value.length > 0),
    ),
  );
}
