import type { z } from "zod";
import type { Route } from "../../api/route.ts";
import { routes, type RouteName } from "../../api/route-table.ts";
import { manifestsWith } from "./asking-teams.ts";
import type { Least } from "./least-requests.ts";

/** Every request that has a word of the caller's in it: in the address, in a parameter, in a field. */
export function everyRequestWith(name: RouteName, word: string): readonly Least[] {
  const { params, query, body }: Route = routes[name];
  const fields: Readonly<Record<string, z.ZodType>> = body?.shape ?? {};
  return [
    ...(params === undefined ? [{}] : [{ named: word }]),
    ...Object.keys(query?.shape ?? {}).map((field) => ({ query: { [field]: word } })),
    ...Object.entries(fields).map(([field, schema]) => ({ body: { [field]: asTaken(schema, word) } })),
    ...(name === "registerConsumer" ? manifestsWith(word).map((sent) => ({ body: sent })) : []),
  ];
}

/** Alone, or in a list where the field takes lists alone. */
const asTaken = (schema: z.ZodType, word: string) =>
  !schema.safeParse(word).success && schema.safeParse([word]).success ? [word] : word;

/** What differs between any two answers: the clock, the id of what was asked for just now, the digest of what was sent. */
export const settled = (text: string) =>
  text
    .replaceAll(/"now":"[^"]*"(?:,"until":"[^"]*")?/g, "")
    .replaceAll(/"checkId":"chk_\w+"/g, "")
    .replaceAll(/"digest":"[0-9a-f]{64}"/g, "")
    .replaceAll(/"sessions":\{"at"[^,]*,/g, "");
