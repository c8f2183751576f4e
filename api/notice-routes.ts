import { z } from "zod";
import { noticeCodes, type NoticeCode } from "../domain/notice-attempt.ts";
import { noticeEventNames, noticeFormats, type NoticeEvent, type NoticeFormat } from "../domain/notice.ts";
import { limit, reference, type Route } from "./route.ts";

/** An id, `team/name`, or a name that only one team has. */
const notice = z.object({ notice: reference });
const time = z.string();
const code = z.enum(Object.keys(noticeCodes) as NoticeCode[]).nullable();

const noticeSummary = z.object({
  id: z.string(),
  /** `team/name` */
  ref: z.string(),
  format: z.enum(Object.keys(noticeFormats) as NoticeFormat[]),
  /** Null where the address is the secret. */
  url: z.string().nullable(),
  events: z.array(z.enum(noticeEventNames as readonly [NoticeEvent, ...NoticeEvent[]])),
  of: z.enum(["own", "all"]),
  hasSecret: z.boolean(),
  /** Until then the former secret signs as well. */
  formerUntil: time.nullable(),
  /** Not told yet. */
  pending: z.number(),
  oldestMs: z.number().nullable(),
  /** How the last attempt at the oldest of those ended, and what to do about it. */
  lastCode: code,
  advice: z.string().nullable(),
  lastSentAt: time.nullable(),
  lastGivenUpAt: time.nullable(),
});

/** Endpoints that are told what happens, part of the table of routes. */
export const noticeRoutes = {
  listNotices: {
    method: "GET",
    path: "/notices",
    summary: "Endpoints that are told what happens, in the order in which they were made.",
    query: z.object({ team: z.string().max(63).optional(), after: z.string().max(64).optional(), limit }),
    response: z.object({ notices: z.array(noticeSummary) }),
  },
  showNotice: {
    method: "GET",
    path: "/notices/:notice",
    summary: "One endpoint: what it is told, and whether that gets through.",
    params: notice,
    response: noticeSummary,
  },
  listNoticeDeliveries: {
    method: "GET",
    path: "/notices/:notice/deliveries",
    summary: "What an endpoint was told and is to be told, newest first, with how the last attempt ended.",
    params: notice,
    query: z.object({ limit }),
    response: z.object({
      ref: z.string(),
      deliveries: z.array(
        z.object({
          /** The receiver's `webhook-id`. */
          id: z.string(),
          event: z.string(),
          text: z.string(),
          state: z.enum(["pending", "sent", "given-up"]),
          attempts: z.number(),
          lastCode: code,
          lastStatus: z.number().nullable(),
          at: time,
          nextAt: time.nullable(),
          endedAt: time.nullable(),
        }),
      ),
    }),
  },
  testNotice: {
    method: "POST",
    path: "/notices/:notice/test",
    summary: "Has a worker send the endpoint a notice that says that it is a test. Poll the check.",
    params: notice,
    response: z.object({ checkId: z.string() }),
  },
} as const satisfies Record<string, Route>;
