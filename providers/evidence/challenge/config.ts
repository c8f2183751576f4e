import { z } from "zod";

export const challengeConfigSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2_048)
    .refine((text) => {
      const url = URL.parse(text);
      return url === null || (url.username === "" && url.password === "" && url.hash === "");
    }, "must carry neither a user, a password nor a fragment")
    .describe("Where the consumer answers; each address that the name resolves to is asked"),
  instances: z
    .union([
      z.strictObject({ count: z.int().min(1).max(1_000) }).describe("So many instances, each with its own instance id"),
      z.strictObject({ dns: z.literal(true) }).describe("One for each address that the name resolves to"),
    ])
    .default({ count: 1 })
    .describe("How they are counted: `count` many, or with `dns: true` one for each address of the name"),
});

export type ChallengeConfig = z.infer<typeof challengeConfigSchema>;
