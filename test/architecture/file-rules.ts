import { breachesOf, isCode, isTest, type Breach, type Rule } from "./source-file.ts";

/** The rules themselves and what they are tested with have to write down what nobody else may. */
const plants = (path: string): boolean => path.startsWith("test/architecture/");

const sizeLimit = 400;
/** Written once and never edited, recorded, or made by a program. */
const isExempt = (path: string): boolean => /(^|\/)(migrations|fixtures|histories|generated)\//.test(path);

const fileSize: Rule = {
  name: `no file of code is longer than ${sizeLimit} lines`,
  check: (files) =>
    files
      .filter(({ path, text }) => isCode(path) && !isExempt(path) && text.trimEnd().split("\n").length > sizeLimit)
      .map(({ path }) => ({
        path,
        says: `is longer than ${sizeLimit} lines: move one of its ideas to a file of its own`,
      })),
};

// What AWS calls a product is a name, and no grammar of ours.
const reserved =
  /^(?:utils?|helpers?|misc|commons?|types|managers?|services?)$|-(?:fns|maps|utils?|helpers?|types)$|(?<!^aws-secrets)-manager$/;
const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** What those who read them look for: Docker by its name, systemd a template by the sign at its end. */
const namedByOthers = /^(?:README\.md|Dockerfile|[a-z-]+@\.service)$/;
const isPage = (path: string): boolean => /^[A-Z]+\.md$/.test(path);

const names: Rule = {
  name: "files and folders are named for a thing or a verb, in kebab-case",
  check: (files) =>
    files.flatMap(({ path }): readonly Breach[] => {
      // Recorded histories are named for the workflow they are of.
      if (isPage(path) || path.includes("/histories/") || path.startsWith(".") || path.includes("/.")) return [];
      return path.split("/").flatMap((part, at, all): readonly Breach[] => {
        const stem = at === all.length - 1 ? part.replace(/(?:\.(?:test|config|d|schema))?\.[a-z]+$/, "") : part;
        if (reserved.test(stem)) return [{ path, says: `'${stem}' says nothing: name it for what it holds` }];
        return kebab.test(stem) || namedByOthers.test(part) ? [] : [{ path, says: `'${stem}' is not in kebab-case` }];
      });
    }),
};

/** `needs` of the harness says why, and fails where all is required. So does `hasTemporal`, once for all that need the server. */
const chain = String.raw`(?:\.\w+)*`;
const focused = new RegExp(
  String.raw`\b(?:it|test|describe|suite|bench)${chain}\.only\b|\b(?:fit|fdescribe)\s*\(`,
  "g",
);
const skipped = new RegExp(
  String.raw`\b(?:it|test|describe|suite|bench)${chain}\.(?:skip|skipIf|runIf|todo)\b(?!\(!?hasTemporal\))|\b(?:xit|xdescribe|xtest)\s*\(|\bskip\s*\(`,
  "g",
);

const tests: Rule = {
  name: "no test runs alone, and none is skipped but by `needs`",
  check: (files) => {
    const bound = files.filter(({ path }) => isTest(path) && isCode(path) && !plants(path));
    const mayNotSkip = bound.filter(({ path }) => path !== "test/harness/needs.ts");
    return [
      ...breachesOf(bound, focused, (found) => `'${found}' keeps every other test from running: take it away`),
      ...breachesOf(
        mayNotSkip,
        skipped,
        () => "skips by itself: call `needs` of test/harness/needs.ts, which fails where all is required",
      ),
    ];
  },
};

/** Matches of comments and prose too, unlike the other rules: these words may stand nowhere. */
const unwanted: readonly { readonly pattern: RegExp; readonly says: string }[] = [
  { pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/g, says: "leaves a note instead of the work: do it, or write an issue" },
  { pattern: /@ts-(?:ignore|nocheck)\b/g, says: "silences the compiler: correct the types" },
  {
    pattern: /(?<![\w.}])\/(?:root|Users|work|workspace|builds)\/\w/g,
    says: "names a folder of one machine: use a relative path, or one below /srv or /home/app in examples",
  },
  { pattern: /(?:\.\.\/)+shared\b/g, says: "names something outside of the repository" },
];

const words: Rule = {
  name: "no notes to self, silenced types or paths of one machine",
  check: (files) =>
    files
      .filter(({ path }) => !plants(path))
      .flatMap(({ path, text }) =>
        unwanted.flatMap(({ pattern, says }) => breachesOf([{ path, text, code: text }], pattern, () => says)),
      ),
};

export const fileRules: readonly Rule[] = [fileSize, names, tests, words];
