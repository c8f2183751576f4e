import { longestLeaked, type Answer } from "../api/client.ts";
import type { Suspect } from "./leaked-input.ts";

type LeakAnswer = Answer<"checkLeaks">["answers"][number];
type Found = Omit<LeakAnswer, "state">;

/** What was found out about one suspect, wherever it stood. */
export interface LeakResult extends Found {
  readonly places: readonly string[];
  /** `too-long`, `no-time`: it was compared with nothing, as one that is `redacted`. */
  readonly state: "known" | "unknown" | "redacted" | "too-long" | "no-time";
}

/** What the API said of each text. */
type Answers = ReadonlyMap<string, LeakAnswer>;

/** One for all suspects that have the same texts. */
export function resultsOf(suspects: readonly Suspect[], answers: Answers): readonly LeakResult[] {
  const groups = Map.groupBy(suspects, ({ texts }) => JSON.stringify(texts));
  return [...groups.values()].map((group) => {
    const texts = group[0]?.texts ?? [];
    const found = texts.flatMap((text) => answers.get(text) ?? []);
    return { places: group.map(({ place }) => place), state: stateOf(texts, answers), ...merged(found) };
  });
}

function stateOf(texts: readonly string[], answers: Answers): LeakResult["state"] {
  const states = texts.map(
    (text) => answers.get(text)?.state ?? (text.length > longestLeaked ? "too-long" : "no-time"),
  );
  const worst = (["known", "no-time", "too-long", "redacted"] as const).find((state) => states.includes(state));
  return worst ?? "unknown";
}

/** What several texts of one finding are, each once. */
function merged(found: readonly Found[]): Found {
  const byValueFirst = found
    .flatMap(({ versions }) => versions)
    .toSorted((a, b) => Number(a.by === "handle") - Number(b.by === "handle"));
  const once = <T>(all: readonly T[], key: (one: T) => string): T[] =>
    [...Map.groupBy(all, key).values()].flatMap(([first]) => (first === undefined ? [] : [first]));
  return {
    versions: once(byValueFirst, ({ credentialId, version }) => `${credentialId} ${version}`),
    connections: once(
      found.flatMap(({ connections }) => connections),
      ({ connection }) => connection,
    ),
    tokens: once(
      found.flatMap(({ tokens }) => tokens),
      ({ id }) => id,
    ),
  };
}

/** Something of ours that nobody has seen dead. */
export const isOpen = ({ versions, connections, tokens }: Found): boolean =>
  versions.some(({ life }) => life !== "dead") || connections.length > 0 || tokens.some(({ isValid }) => isValid);

/** It was compared with nothing, so that nobody can say what it is. */
export const isMissed = ({ state }: LeakResult): boolean => state !== "known" && state !== "unknown";

/** What needs somebody comes first. */
export function rank(one: LeakResult): number {
  if (isOpen(one)) return 0;
  if (one.state === "unknown") return 3;
  return one.state === "known" ? 2 : 1;
}
