import { codes, type Code } from "../domain/errors.ts";
import { roughly, type Look } from "../domain/look.ts";
import type { Noted } from "../ledger/doctor-facts.ts";
import type { Counted, StatusFacts } from "../ledger/status-facts.ts";

/** A row is sealed within a second; this long without is trouble. */
const sealedWithinMs = 30_000;
/** A hold that nobody has answered for so long is told louder. */
const holdPatienceMs = 24 * 3_600_000;

const names = ({ first, count }: Counted, say: (one: Noted) => string): string =>
  `${first.map(say).join(", ")}${count > first.length ? ` and ${count - first.length} more` : ""}`;
const titleOf = (code: string): string => codes[code as Code] ?? code;
function sayFailing(more: string): string {
  const [credential = "", code = ""] = more.split(" ");
  return `${credential} (${titleOf(code)})`;
}
function sayEmergency({ more, ageMs }: Noted): string {
  const [credential = "", code, how] = more.split(" ");
  const title = code === undefined ? "" : `; ${how === "held" ? "a person is asked: " : ""}${titleOf(code)}`;
  const tried = how === undefined || how === "held" ? "" : `, tried ${plural(Number(how), "time")} and tried again`;
  return `${credential} (for ${roughly(ageMs)}${title}${tried})`;
}
const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;
/** What has leaked is read before all else. */
export const emergenciesFirst = (looks: readonly Found[]): readonly Found[] =>
  looks.toSorted((a, b) => Number(isEmergency(b)) - Number(isEmergency(a)));
const isEmergency = ({ key }: Found): boolean => key.startsWith("emergencies-");

interface Found extends Look {
  /** The same as long as it is the same trouble. */
  readonly key: string;
}

/** What is wrong with routine work as a whole. Nothing wrong is an empty list. */
export function statusLooks(facts: StatusFacts, custodyTrouble: string | undefined): readonly Found[] {
  const found: (Found | undefined)[] = [
    some(facts.lateEmergencies, (late) => ({
      ...{ key: "emergencies-late", about: "Emergencies", state: "bad" },
      text: `${plural(late.count, "emergency", "emergencies")} ${late.count === 1 ? "is" : "are"} not over in time, or cannot begin, so that what has leaked may be alive: ${names(late, sayEmergency)}.`,
      mend: "rekey emergency list --open",
    })),
    some(facts.emergencies, (open) => ({
      ...{ key: "emergencies-open", about: "Emergencies", state: "warn" },
      text: `${plural(open.count, "emergency", "emergencies")} ${open.count === 1 ? "runs" : "run"}: ${names(open, sayEmergency)}.`,
      mend: "rekey emergency list --open",
    })),
    facts.workers === 0
      ? {
          ...{ key: "workers", about: "Workers", state: "bad" },
          text: "No worker runs, or none reaches the ledger: no rotation begins or goes on.",
          mend: "rekey worker",
        }
      : undefined,
    facts.workers > 0 && facts.idlePools.length > 0
      ? {
          ...{ key: "pools", about: "Worker pools", state: "bad" },
          text: `No worker serves ${facts.idlePools.join(", ")}: connections of ${facts.idlePools.length === 1 ? "this pool" : "these pools"} are reached by nobody.`,
          mend: "rekey worker",
        }
      : undefined,
    custodyTrouble === undefined
      ? undefined
      : {
          ...{ key: "custody-key", about: "Custody key", state: "bad" },
          text: custodyTrouble,
          mend: "rekey doctor",
        },
    some(facts.overdue, (overdue) => ({
      ...{ key: "overdue", about: "Overdue", state: "bad" },
      text: `${plural(overdue.count, "rotation")} that may run should have begun: ${names(overdue, ({ name, ageMs }) => `${name} (for ${roughly(ageMs)})`)}.`,
      mend: "rekey calendar",
    })),
    some(facts.given, (given) => ({
      ...{ key: "given-up", about: "Given up", state: "waits" },
      text: `${plural(given.count, "credential")} failed three times for one reason; a person has to begin: ${names(given, ({ name, more }) => `${name} (${titleOf(more)})`)}.`,
      mend: `rekey rotate ${given.first[0]?.name ?? ""}`,
    })),
    some(facts.carrierless, (silent) => ({
      ...{ key: "carrierless", about: "Open rotations", state: "bad" },
      text: `No worker has looked at ${plural(silent.count, "open rotation")}: ${names(silent, ({ more, ageMs }) => `${more} (for ${roughly(ageMs)})`)}. See that workers and Temporal run.`,
      mend: "rekey doctor",
    })),
    some(facts.holds, (holds) => ({
      ...{ key: "holds", about: "Holds", state: (holds.first[0]?.ageMs ?? 0) > holdPatienceMs ? "bad" : "waits" },
      text: `${plural(holds.count, "rotation")} ${holds.count === 1 ? "waits" : "wait"} for a person's answer: ${names(holds, ({ more, ageMs }) => `${more} (for ${roughly(ageMs)})`)}.`,
      mend: `rekey rotation show ${holds.first[0]?.name ?? ""}`,
    })),
    some(facts.paused, (paused) => ({
      ...{ key: "paused", about: "Paused", state: "waits" },
      text: `${plural(paused.count, "rotation")} ${paused.count === 1 ? "is" : "are"} paused by a person: ${names(paused, ({ more }) => more)}.`,
      mend: `rekey rotation resume ${paused.first[0]?.name ?? ""}`,
    })),
    some(facts.failing, (failing) => ({
      ...{ key: "failing", about: "Failing", state: "warn" },
      text: `A step of ${plural(failing.count, "open rotation")} fails again and again: ${names(failing, ({ more }) => sayFailing(more))}. It goes on by itself once that is mended, and asks a person if it lasts.`,
      mend: `rekey rotation show ${failing.first[0]?.name ?? ""}`,
    })),
    some(facts.afterDeath, (dead) => ({
      ...{ key: "after-death", about: "After death", state: "bad" },
      text: `A forgotten consumer, or an attacker: ${names(dead, ({ name, more }) => `${name}: ${more}`)}`,
      mend: `rekey audit list --credential ${dead.first[0]?.name ?? ""}`,
    })),
    some(facts.strangers, (strange) => ({
      ...{ key: "strangers", about: "Strangers", state: "warn" },
      text: `Beside what has leaked: ${names(strange, ({ name, more }) => `${name}: ${more}`)}`,
      mend: `rekey audit list --credential ${strange.first[0]?.name ?? ""}`,
    })),
    some(facts.unregistered, (unregistered) => ({
      ...{ key: "unregistered", about: "Unregistered users", state: "warn" },
      text: `Somebody uses ${plural(unregistered.count, "credential")} and is no registered consumer: ${names(unregistered, ({ name, more }) => `${name} (${more})`)}. No old version that they are seen on ends before a person says so.`,
      mend: `rekey consumer proposals${unregistered.count === 1 ? ` --credential ${unregistered.first[0]?.name ?? ""}` : ""}`,
    })),
    some(facts.unadopted, (unadopted) => ({
      ...{ key: "unadopted", about: "Not adopted", state: "warn" },
      text: `${plural(unadopted.count, "credential")} ${unadopted.count === 1 ? "has" : "have"} no version yet, so that nothing rotates ${unadopted.count === 1 ? "it" : "them"}: ${names(unadopted, ({ name }) => name)}.`,
      mend: `rekey credential show ${unadopted.first[0]?.name ?? ""}`,
    })),
    some(facts.untold, (untold) => ({
      ...{ key: "notices-given-up", about: "Notices", state: "bad" },
      text: `${plural(untold.count, "endpoint")} could not be told something, which was given up: ${names(untold, ({ name, ageMs }) => `${name} (${roughly(ageMs)} ago)`)}. Mend it and try it; the alarm ends when it takes something.`,
      mend: `rekey notice test ${untold.first[0]?.name ?? ""}`,
    })),
    some(facts.unreached, (unreached) => ({
      ...{ key: "notices-waiting", about: "Notices", state: "warn" },
      text: `${plural(unreached.count, "endpoint")} ${unreached.count === 1 ? "does" : "do"} not take what is to be told: ${names(unreached, ({ name, more, ageMs }) => `${name} (${more === "" ? "not tried yet" : more}, for ${roughly(ageMs)})`)}. It is tried again by itself for a day.`,
      mend: `rekey notice show ${unreached.first[0]?.name ?? ""}`,
    })),
    some(facts.grants, (grants) => ({
      ...{ key: "grants", about: "Grants", state: "warn" },
      text: `${plural(grants.count, "grant")} ${grants.count === 1 ? "waits" : "wait"} for an owner: ${names(grants, ({ more, ageMs }) => `${more} (for ${roughly(ageMs)})`)}. Nothing is delivered there before.`,
      mend: "rekey grant list --state pending",
    })),
    facts.unsealedMs > sealedWithinMs
      ? {
          ...{ key: "sealer", about: "Audit trail", state: "bad" },
          text: `It has not been sealed for ${roughly(facts.unsealedMs)}. Workers seal; see that one runs.`,
          mend: "rekey worker",
        }
      : undefined,
  ];
  return found.filter((one) => one !== undefined);
}

const some = (counted: Counted, say: (found: Counted) => Found): Found | undefined =>
  counted.count === 0 ? undefined : say(counted);
