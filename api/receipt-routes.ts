import { z } from "zod";
import { reference, type Route } from "./route.ts";

export const receiptRoutes = {
  requestReceipt: {
    method: "POST",
    path: "/rotations/:rotation/receipt",
    summary: "Has a worker write down what happened in a closed rotation, signed. Poll the check that it answers with.",
    params: z.object({ rotation: reference }),
    response: z.object({ checkId: z.string(), rotationId: z.string() }),
  },
  showAuditKeys: {
    method: "GET",
    path: "/audit/keys",
    summary: "The public halves of the keys that sign receipts and the audit trail's heads, to pin.",
    response: z.object({
      /** Oldest first: the last one signs. */
      keys: z.array(z.object({ id: z.string(), jwk: z.object({ kty: z.string(), crv: z.string(), x: z.string() }) })),
    }),
  },
} as const satisfies Record<string, Route>;
