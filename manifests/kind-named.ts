import { nearestWord } from "../domain/nearest-word.ts";
import { manifestKinds, type ManifestKind } from "./schemas.ts";

/** The kind that somebody typed: in any case, one or many of it. */
export function kindNamed(text: string): ManifestKind | undefined {
  const word = one(text);
  return manifestKinds.find((kind) => kind.toLowerCase() === word);
}

const one = (text: string) => text.toLowerCase().replace(/ies$/, "y").replace(/s$/, "");

/** What to write instead of a word that is no kind. The word itself is not repeated. */
export function kindHint(text: string): string {
  const lower = manifestKinds.map((kind) => kind.toLowerCase());
  const nearest = nearestWord(one(text), lower);
  return `There is no such kind. Kinds: ${lower.join(", ")}.${didYouMean(nearest)}`;
}

/** What to write instead of a name that nothing of the kind has. `list`: the command that shows those that there are. */
export function nameHint(
  kind: ManifestKind,
  text: string,
  names: readonly string[],
  list: string = `rekey export ${kind.toLowerCase()}`,
): string {
  const nearest = nearestWord(text, names) ?? nearestByName(text, names);
  const hint = nearest === undefined ? ` See which there are: ${list}` : didYouMean(nearest);
  return `There is no such ${kind.toLowerCase()}.${hint}`;
}

/** The one whose name without its team is nearest: the team is what people leave out or mistake. */
export function nearestByName(text: string, names: readonly string[]): string | undefined {
  const own = names.map((name) => name.split("/").at(-1) ?? name);
  return names[own.indexOf(nearestWord(text.split("/").at(-1) ?? text, own) ?? "")];
}

const didYouMean = (nearest: string | undefined) => (nearest === undefined ? "" : ` Did you mean ${nearest}?`);

/** Whether what somebody typed names an object: its name, or `team/name`, where a name alone means every team's. */
export function isNamed(name: string, { team, name: own }: { readonly team?: string; readonly name: string }): boolean {
  const [first = "", second] = name.split("/");
  if (second === undefined) return own === first;
  return team === first && own === second;
}
