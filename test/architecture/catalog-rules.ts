import { importsOf } from "./imports.ts";
import { breachesOf, isCode, isTest, type Breach, type Rule, type SourceFile } from "./source-file.ts";

const catalog = "providers/catalog.ts";
const kindFolder = /^providers\/(issuers|consumers|evidence)\/([^/]+)\//;

/** Folders of kinds, each with one of its files. */
function kindsOf(files: readonly SourceFile[]): ReadonlyMap<string, { family: string; kind: string; path: string }> {
  return new Map(
    files.flatMap(({ path }) => {
      const [folder, family, kind] = kindFolder.exec(path) ?? [];
      return folder === undefined || family === undefined || kind === undefined
        ? []
        : [[folder, { family, kind, path }] as const];
    }),
  );
}

const everyKindListed: Rule = {
  name: "each folder of a provider is in the catalog",
  check(files) {
    const list = files.find(({ path }) => path === catalog);
    const targets = list === undefined ? [] : importsOf(list).map(({ target }) => target);
    return [...kindsOf(files)]
      .filter(([folder]) => !targets.some((target) => target.startsWith(folder)))
      .map(([, { path, kind }]): Breach => ({ path, says: `add one line for '${kind}' to ${catalog}` }));
  },
};

/** Places that show or test one kind on purpose. */
const mayName = /^(?:demo|examples|docs|test|scripts)\//;
/** Places where the same word means something else: `secretFrom: { file }`. */
const otherWords: ReadonlySet<string> = new Set(["cli/secret-from.ts file"]);

const noKindNamedElsewhere: Rule = {
  name: "nothing but its folder and the catalog names a kind of issuer or consumer",
  check: (files) =>
    [...kindsOf(files)]
      // Kinds of evidence are ordinary words too, such as the sessions that a usage lists.
      .filter(([, { family }]) => family !== "evidence")
      .flatMap(([folder, { kind }]) => {
        const bound = files.filter(
          ({ path }) =>
            isCode(path) &&
            !isTest(path) &&
            path !== catalog &&
            !path.startsWith(folder) &&
            !mayName.test(path) &&
            !otherWords.has(`${path} ${kind}`),
        );
        const literal = new RegExp(`["'\`]${kind}["'\`]`, "g");
        return breachesOf(bound, literal, () => `names the kind '${kind}': read what differs from its definition`);
      }),
};

export const catalogRules: readonly Rule[] = [everyKindListed, noKindNamedElsewhere];
