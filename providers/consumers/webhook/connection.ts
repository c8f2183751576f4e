import { z } from "zod";
import type { ConnectionKind } from "../../contract/connection.ts";

/** One endpoint that is told of versions. */
export interface WebhookConnection {
  readonly url: string;
  /** The teams that may register it. */
  readonly teams: readonly string[];
}

const connectionSchema: z.ZodType<WebhookConnection> = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2_048)
    .refine((text) => {
      const url = URL.parse(text);
      return url === null || (url.username === "" && url.password === "" && url.hash === "" && url.search === "");
    }, "must carry no user, password, query or fragment, since it is shown to people; the receiver knows us by the signature")
    .describe("Where notices are sent: https; plain http only on a loopback port that the worker's settings name"),
  teams: z.array(z.string().min(1).max(63)).min(1).max(100).describe("The teams that may register it"),
});

/** An endpoint of its own secret: whoever has one cannot speak to another in our name. */
export const webhookEndpoint: ConnectionKind<WebhookConnection> = {
  kind: "webhook",
  connectionSchema,
  adminFields: {
    secret: { secret: true, title: "Signing secret: base64 of 24 to 64 random bytes, with or without whsec_" },
  },
  adminPrincipalOf: () => "",
};
