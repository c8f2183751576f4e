import { afterDeath } from "./death-watch.ts";
import { codes, type Code } from "./errors.ts";
import { roughly } from "./look.ts";
import { printable } from "./printable.ts";

/** How an endpoint is spoken to, and what its secret is. */
export const noticeFormats = {
  webhook: "JSON, signed as Standard Webhooks says; its secret signs",
  slack: "a text as Slack and what is compatible with it take; its address is its secret",
} as const;
export type NoticeFormat = keyof typeof noticeFormats;

/** What an endpoint may be told, and when that is. */
export const noticeEvents = {
  upcoming: "a credential becomes due within its policy's `notice`; once for each due time",
  started: "a rotation has been reserved",
  hold: "a rotation waits for a person's answer",
  done: "a rotation is closed and its former version is proven dead",
  failed: "a rotation has ended otherwise than proven",
  emergency:
    "versions have leaked: an emergency is declared; its time is over and they end before all consumers have moved; it is over",
  overdue:
    "a rotation that may begin has not within its policy's `startWithin`; to `of: all` every alarm of the watcher, raised and ended",
  "last-one": "all consumers of a rotation but one have adopted, for longer than its policy's `lastOneAfter`",
  "after-death":
    "a version that had leaked and is dead is used, or can log in again; or a key is found beside it that nobody knows",
} as const;
export type NoticeEvent = keyof typeof noticeEvents;
export const noticeEventNames = Object.keys(noticeEvents) as readonly NoticeEvent[];

/** Who hears of an event besides the endpoints of everything: teams, by what they may see of the credential. */
export const noticeAudiences = {
  sharing: "the credential's team, and teams with a consumer of it",
  owner: "the credential's team",
  consumer: "the team of the consumer",
  everything: "only endpoints with `of: all`",
} as const;
export type NoticeAudience = keyof typeof noticeAudiences;

export const audienceOf: Readonly<Record<NoticeEvent, NoticeAudience>> = {
  upcoming: "sharing",
  started: "sharing",
  hold: "owner",
  done: "sharing",
  failed: "sharing",
  emergency: "sharing",
  overdue: "owner",
  "last-one": "consumer",
  "after-death": "owner",
};

/** An event of the outbox, with the names of what it is about as they are now. */
export interface ToldEvent {
  readonly action: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly rotation: string | null;
  /** `team/name`; null: it is about none. */
  readonly credential: string | null;
  readonly environment: string | null;
  /** `team/name` of the one consumer that it is about. */
  readonly consumer: string | null;
}

/** What is said of it. */
export interface Notice {
  readonly event: NoticeEvent;
  readonly audience: NoticeAudience;
  /** Endpoints with `of: all` are told as well. */
  readonly isToldToAll: boolean;
  /** One sentence of what happens, and one of what to do where there is something to do. */
  readonly text: string;
  /** More for programs; nothing that is not in the text or a name. */
  readonly facts: Readonly<Record<string, string>>;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const titleOf = (code: unknown): string => codes[textOf(code) as Code] ?? textOf(code);
const nameOf = ({ credential, environment }: ToldEvent): string =>
  `${credential ?? "a credential"}${environment === null ? "" : ` (${environment})`}`;
/** `2027-01-07 08:00 UTC` */
const minute = (time: unknown): string => `${textOf(time).slice(0, 16).replace("T", " ")} UTC`;

const versionsOf = ({ details: { versions } }: ToldEvent): string => {
  const numbers = Array.isArray(versions) ? versions.map(Number) : [];
  return `version${numbers.length === 1 ? "" : "s"} ${numbers.join(", ")}`;
};

const howItEnded: Readonly<Record<string, string>> = {
  undone: "was undone: its former version is in force again.",
  "closed-unproven": "is closed, and its former version was not seen dead: a person has accepted that.",
  "failed-before-effect": "could not begin: nothing was changed.",
};

/** Slack takes more; a phone shows less. */
const longestText = 1_000;

type Said = Pick<Notice, "event" | "text" | "facts"> & Partial<Notice>;

/** Who it is stands in the audit trail, for those who may read that. */
const foundDead =
  (what: string) =>
  (event: ToldEvent): Said => ({
    event: "after-death",
    text: `${what} ${nameOf(event)}, of which version ${String(event.details["version"])} had leaked and is dead: a forgotten consumer, or an attacker. See who: rekey audit list --credential ${event.credential ?? ""}`,
    facts: { version: String(event.details["version"]) },
  });

/** Each action of the audit trail that is told, and how. What is not here is told to nobody. */
const told: Readonly<Record<string, (event: ToldEvent) => Said>> = {
  "credential.announced": (event) => ({
    event: "upcoming",
    text: `${nameOf(event)} is rotated from ${minute(event.details["beginsAt"])} on. Its consumers go on by themselves; see when: rekey calendar --credential ${event.credential ?? ""}`,
    facts: { dueAt: textOf(event.details["dueAt"]), beginsAt: textOf(event.details["beginsAt"]) },
  }),
  "rotation.reserved": (event) => ({
    event: "started",
    text: `The rotation of ${nameOf(event)} begins. Follow it: rekey rotation show ${event.rotation ?? ""}`,
    facts: {},
  }),
  "hold.opened": (event) => ({
    event: "hold",
    text: `The rotation of ${nameOf(event)} waits for a person: ${titleOf(event.details["code"])}. Read and answer it: rekey rotation show ${event.rotation ?? ""}`,
    facts: { code: textOf(event.details["code"]), phase: textOf(event.details["phase"]) },
  }),
  "rotation.closed": (event) => {
    const outcome = textOf(event.details["outcome"]);
    if (outcome === "proven")
      return {
        event: "done",
        text: `${nameOf(event)} is rotated: every consumer has moved, and the former version is proven dead.`,
        facts: { outcome },
      };
    return {
      event: "failed",
      text: `The rotation of ${nameOf(event)} ${howItEnded[outcome] ?? "has ended."} See why: rekey rotation show ${event.rotation ?? ""}`,
      facts: { outcome },
    };
  },
  "emergency.declared": (event) => {
    const { contain, deadlineMs, atDeadline } = event.details;
    const isOne = versionsOf(event).startsWith("version ");
    const then = atDeadline === "hold" ? "waits for a person's answer" : "is ended whoever still uses it";
    const way =
      contain === true
        ? `${isOne ? "It ends before its" : "They end before their"} consumers have another, which cannot log in until then.`
        : `Its consumers move first; what is alive after ${roughly(Number(deadlineMs))} ${then}.`;
    return {
      event: "emergency",
      text: `EMERGENCY: ${versionsOf(event)} of ${nameOf(event)} ${isOne ? "has" : "have"} leaked. ${way} Follow it: rekey credential show ${event.credential ?? ""}`,
      facts: { state: "declared", emergency: textOf(event.details["emergency"]) },
    };
  },
  "emergency.contained": (event) => ({
    event: "emergency",
    text: `The time of the emergency of ${nameOf(event)} is over: ${versionsOf(event)} ends now, and who still runs on it cannot log in until it has the new one. Follow it: rekey credential show ${event.credential ?? ""}`,
    facts: { state: "contained", emergency: textOf(event.details["emergency"]) },
  }),
  "emergency.in-place": (event) => ({
    event: "emergency",
    text: `The issuer of ${nameOf(event)} has no room for another version: what has leaked ends now, and who still runs on it cannot log in until it has the one in its place. Follow it: rekey credential show ${event.credential ?? ""}`,
    facts: { state: "in-place" },
  }),
  "emergency.closed": (event) => {
    const outcome = textOf(event.details["outcome"]);
    const was = versionsOf(event).startsWith("version ") ? ["is", "was"] : ["are", "were"];
    const how =
      outcome === "proven"
        ? `${was[0]} proven dead.`
        : `${was[1]} ENDED WITHOUT PROOF, ${event.details["why"] === undefined ? "by a person's decision" : `since ${textOf(event.details["why"])}`}, and may still be accepted.`;
    return {
      event: "emergency",
      text: `The emergency of ${nameOf(event)} is over: ${versionsOf(event)} ${how} See: rekey credential show ${event.credential ?? ""}`,
      facts: { state: outcome, emergency: textOf(event.details["emergency"]) },
    };
  },
  "credential.found-overdue": (event) => ({
    event: "overdue",
    // Those hear of the alarm, which names all of them.
    isToldToAll: false,
    text: `${nameOf(event)} is overdue: its rotation should have begun ${roughly(Number(event.details["overdueMs"]))} ago. See why it has not: rekey calendar --credential ${event.credential ?? ""}`,
    facts: { dueAt: textOf(event.details["dueAt"]) },
  }),
  "alarm.raised": ({ details }) => ({
    event: "overdue",
    audience: "everything",
    text: `Alarm: ${textOf(details["about"])}. ${textOf(details["text"])} See what to do: rekey status`,
    facts: { alarm: textOf(details["key"]), state: "raised" },
  }),
  "alarm.cleared": ({ details }) => ({
    event: "overdue",
    audience: "everything",
    text: `The alarm is over: ${textOf(details["about"])}.`,
    facts: { alarm: textOf(details["key"]), state: "cleared" },
  }),
  [afterDeath.used]: foundDead("Somebody uses what is dead of"),
  [afterDeath.revived]: foundDead("What is dead can log in again of"),
  [afterDeath.stranger]: foundDead("A key that rekey does not know can log in beside those of"),
  "consumer.found-last": (event) => ({
    event: "last-one",
    text: `You are the last one: every consumer of ${nameOf(event)} but ${event.consumer ?? "yours"} runs on the new version. Restart it or look what keeps it: rekey consumer show ${event.consumer ?? ""}`,
    facts: { consumer: event.consumer ?? "" },
  }),
};

/** The actions of which endpoints are told. */
export const toldActions: readonly string[] = Object.keys(told);

/** What an event of the outbox is to people; undefined: it is told to nobody. */
export function noticeOf(event: ToldEvent): Notice | undefined {
  const found = Object.hasOwn(told, event.action) ? told[event.action]?.(event) : undefined;
  if (found === undefined) return undefined;
  return { audience: audienceOf[found.event], isToldToAll: true, ...found, text: printable(found.text, longestText) };
}

/** What a try says. */
export const testText = "This is a test by `rekey notice test`. Nothing has happened.";
