import { z } from "zod";
import { isGood, send, type Way } from "./way.ts";

const healthSchema = z.object({
  initialized: z.boolean(),
  sealed: z.boolean(),
  standby: z.boolean(),
  version: z.string(),
  cluster_id: z.string().optional(),
  server_time_utc: z.number(),
});

export type Health = z.output<typeof healthSchema>;

/**
 * What the server says of itself, to anybody and in any state: it answers 429, 472, 473, 501 and 503 with the same body.
 * Undefined where it says nothing of the kind. https://developer.hashicorp.com/vault/api-docs/system/health
 */
export async function healthOf(way: Way, signal: AbortSignal): Promise<Health | undefined> {
  const answer = await send(way, { path: "sys/health", isOfServer: true }, signal);
  const states = [429, 472, 473, 501, 503];
  if (!isGood(answer) && !states.includes(answer.status ?? 0)) return undefined;
  return healthSchema.safeParse(answer.body).data;
}
