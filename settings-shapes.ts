import { z } from "zod";
import { isLoopback, listenPattern, parseListenPlace } from "./domain/listen-place.ts";

/** How variables are written, and what the entries of a file hold that one of them names. */

export const path = z.string().min(1).startsWith("/", "must be an absolute path");

export const port = z.coerce.number("must be a port number").int().min(0).max(65_535);
export const hostAndPort = z.string().regex(/^[^\s:/]+:\d{1,5}$/, "must look like temporal.internal:7233");
export const flag = z.enum(["true", "false"], 'must be "true" or "false"').transform((text) => text === "true");
export const ports = z
  .string()
  .regex(/^\d{1,5}(,\d{1,5})*$/, "must be port numbers with commas between them, such as 8443,9443")
  .transform((text) => text.split(",").map(Number))
  .refine((all) => all.every((one) => one >= 1 && one <= 65_535), "must be ports between 1 and 65535");
export const paths = z
  .string()
  .transform((text) => text.split(":"))
  .refine((all) => all.every((one) => one.startsWith("/")), "must be absolute paths with colons between them");
export const httpUrl = z
  .url({ protocol: /^https?$/, error: "must be an address such as http://127.0.0.1:7390" })
  .refine((text) => {
    const { protocol, hostname } = new URL(text);
    return protocol === "https:" || isLoopback(hostname);
  }, "must begin with https:// where it is not this machine")
  .transform((text) => text.replace(/\/+$/, ""));
export const listenPlace = z.string().regex(listenPattern, "must look like 0.0.0.0:7390").transform(parseListenPlace);
const milliseconds = (least: number, most: number) =>
  z.coerce.number("must be milliseconds").int().min(least).max(most);
export const names = z
  .string()
  .regex(/^[A-Za-z0-9.-]+(,[A-Za-z0-9.-]+)*$/, "must be host names with commas between them")
  .transform((text) => text.toLowerCase().split(","));

const command = z.strictObject({
  argv: z.tuple([path], z.string()),
  uid: z.int().min(1).optional(),
  gid: z.int().min(1).optional(),
  timeoutMs: z.int().min(1).max(600_000),
});
const reloadEntry = z.union([
  z.strictObject({ signal: z.enum(["SIGHUP", "SIGUSR1", "SIGUSR2"]), pidFile: path }),
  command,
]);
export const entryName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
export const reloads = z.record(entryName, reloadEntry);
const programEntry = command.extend({ path: z.string().min(1).optional() });
export const programs = z.record(entryName, programEntry);
/** What else it holds, its kind says. */
const custodyEntry = z.looseObject({ kind: z.string().min(1) });
export const custodyEntries = z.record(entryName, custodyEntry);

export type Reload = z.output<typeof reloadEntry>;
export type Program = z.output<typeof programEntry>;
export type CustodyEntry = z.output<typeof custodyEntry>;

/** When endpoints are told what happens, and told again. */
export const noticeVariables = {
  REKEY_NOTICE_EVERY_MS: {
    schema: milliseconds(100, 3_600_000).default(1_000),
    whenAbsent: "1000",
    meaning: "Between two looks for what endpoints are to be told, in milliseconds.",
  },
  REKEY_NOTICE_TIMEOUT_MS: {
    schema: milliseconds(100, 60_000).default(10_000),
    whenAbsent: "10000",
    meaning: "How long an endpoint may take to answer a notice, in milliseconds.",
  },
  REKEY_NOTICE_RETRY_FIRST_MS: {
    schema: milliseconds(10, 3_600_000).default(10_000),
    whenAbsent: "10000",
    meaning:
      "Before a notice that did not get through is sent again, in milliseconds; doubles with each attempt. Its endpoint is left alone for so long.",
  },
  REKEY_NOTICE_RETRY_LONGEST_MS: {
    schema: milliseconds(10, 86_400_000).default(3_600_000),
    whenAbsent: "3600000, an hour",
    meaning: "The longest time between two attempts to send a notice, in milliseconds.",
  },
  REKEY_NOTICE_GIVE_UP_AFTER_MS: {
    schema: milliseconds(10, 30 * 86_400_000).default(86_400_000),
    whenAbsent: "86400000, a day",
    meaning: "A notice that has not got through after so long is given up, with an alarm, in milliseconds.",
  },
};

type NoticeVariables = {
  readonly [N in keyof typeof noticeVariables]: z.output<(typeof noticeVariables)[N]["schema"]>;
};

export const noticeSettings = (parsed: NoticeVariables) => ({
  everyMs: parsed.REKEY_NOTICE_EVERY_MS,
  /** Of one call. */
  timeoutMs: parsed.REKEY_NOTICE_TIMEOUT_MS,
  retryFirstMs: parsed.REKEY_NOTICE_RETRY_FIRST_MS,
  retryLongestMs: parsed.REKEY_NOTICE_RETRY_LONGEST_MS,
  giveUpAfterMs: parsed.REKEY_NOTICE_GIVE_UP_AFTER_MS,
});

/** Of `rekey leak check`. */
export const leakVariables = {
  REKEY_LEAK_VALUES_A_MINUTE: {
    schema: z.coerce.number("must be a number").int().min(100).max(100_000).default(2_000),
    whenAbsent: "2000",
    meaning:
      "How many values the bearer of one token may have compared by `rekey leak check` in a minute, over all processes of the API: whoever holds a token is not to find values by guessing.",
  },
} as const;
