import { z } from "zod";
import { noticeEventNames, noticeFormats, type NoticeEvent, type NoticeFormat } from "../domain/notice.ts";
import { durationSchema } from "./duration.ts";

const formats = Object.keys(noticeFormats) as NoticeFormat[];
const dayMs = 86_400_000;
/** Of both secrets while one takes the other's place; longer than anybody needs to bring it to a receiver. */
const longestBothMs = 30 * dayMs;

/** Plain http leads to this machine alone, and only to ports that the worker's settings name. */
const isHttps = (text: string): boolean => {
  const url = URL.parse(text);
  return url === null || url.protocol === "https:" || /^(127\.|localhost$|\[::1\]$)/.test(url.hostname);
};

/** It is shown to people, so that nothing in it may be secret. */
const isPlain = (text: string): boolean => {
  const url = URL.parse(text);
  return url === null || (url.username === "" && url.password === "" && url.hash === "" && url.search === "");
};

/** What a manifest says of an endpoint, besides where its secret is. */
export const noticeSpec = z.strictObject({
  format: z.enum(formats),
  url: z
    .url({ protocol: /^https?$/, error: "must be an address such as https://hooks.example.com/rekey" })
    .max(2_048)
    .refine(isHttps, "must begin with https://")
    .refine(isPlain, "must carry no user, password, query or fragment, since it is shown to people")
    .optional(),
  /** PEM of the authority that signs the receiver's certificate, where the system does not know it. */
  ca: z
    .string()
    .max(65_536)
    .refine((text) => text.includes("-----BEGIN CERTIFICATE-----"), "must be certificates in PEM")
    .optional(),
  events: z
    .array(z.enum(noticeEventNames as readonly [NoticeEvent, ...NoticeEvent[]]))
    .min(1, "must name an event, or the endpoint is told nothing; leave it out for all")
    .optional(),
  of: z.enum(["own", "all"]).optional(),
  signBothFor: durationSchema.refine((ms) => ms <= longestBothMs, "must be 30d at most").optional(),
});

/** Without `signBothFor`. */
export const usualBothMs = dayMs;
