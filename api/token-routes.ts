import { z } from "zod";
import { roleNames } from "../domain/role.ts";
import { limit, reference, type Route } from "./route.ts";
import { tokenSummary } from "./shapes.ts";

/** Who may ask, part of the table of routes. */
export const tokenRoutes = {
  createToken: {
    method: "POST",
    path: "/tokens",
    summary: "Makes a token. It stands in this answer, and nowhere else ever again.",
    body: z.object({
      role: z.enum(roleNames),
      /** Of the role `team`, and of no other. */
      team: z.string().max(63).optional(),
      /** Whose it is, in words, stored as typed. */
      description: z.string().max(200).default(""),
      expiresInMs: z
        .int()
        .min(60_000)
        .max(366 * 86_400_000),
    }),
    response: z.object({ id: z.string(), token: z.string(), expiresAt: z.string() }),
  },
  listTokens: {
    method: "GET",
    path: "/tokens",
    summary: "Tokens in the order in which they were made, with their last use; of none what its bearer sends.",
    query: z.object({
      valid: z.enum(["true", "false"]).optional(),
      after: z.string().max(64).optional(),
      limit,
    }),
    response: z.object({ tokens: z.array(tokenSummary) }),
  },
  revokeToken: {
    method: "POST",
    path: "/tokens/:token/revoke",
    summary: "Refuses a token from its next request on.",
    params: z.object({ token: reference }),
    response: z.object({ id: z.string(), isNew: z.boolean() }),
  },
} as const satisfies Record<string, Route>;
