import { importsOf, packageOf, type Import } from "./imports.ts";
import { importTable, ruledPackages, type FolderRule } from "./import-table.ts";
import { isCode, isTest, type Breach, type Rule, type SourceFile } from "./source-file.ts";

/** Where only Node's own configuration of tools lies, at the root. */
const toolSettings = /^[^/]+\.config\.(ts|mjs|js)$/;

/** The folder itself with `<kind>` filled in from the file's path; undefined when the rule is not about the file. */
function placeIn({ place }: FolderRule, path: string): string | undefined {
  if (place.endsWith("/")) {
    const pattern = place.replace("<kind>", "[^/]+");
    return new RegExp(`^${pattern}`).exec(path)?.[0];
  }
  return place === path ? place : undefined;
}

function ruleFor(path: string): { rule: FolderRule; own: string } | undefined {
  return importTable
    .flatMap((rule) => {
      const own = placeIn(rule, path);
      return own === undefined ? [] : [{ rule, own }];
    })
    .toSorted((a, b) => b.own.length - a.own.length)[0];
}

const isIn = (target: string, places: readonly string[]): boolean =>
  places.some((place) => place === "*" || target === place || (place.endsWith("/") && target.startsWith(place)));

function refusal(rule: FolderRule, own: string, found: Import): string | undefined {
  const { target, isInternal, isTypeOnly } = found;
  if (isInternal) {
    if (isTest(target) && !rule.imports.includes("*")) return `imports ${target}, which exists only for tests`;
    if (isIn(target, [own, ...rule.imports])) return undefined;
    if (isTypeOnly && isIn(target, rule.typesOf ?? [])) return undefined;
    return isIn(target, rule.typesOf ?? [])
      ? `imports more than types of ${target}: say 'import type'`
      : `imports ${target}, which ${rule.place} may not`;
  }
  const name = packageOf(target);
  const isNamed = ruledPackages.some((ruled) => (ruled.endsWith("/") ? name.startsWith(ruled) : name === ruled));
  const isAllowed = rule.packages.some(
    (allowed) => allowed === "*" || name === allowed || (allowed.endsWith("/") && name.startsWith(allowed)),
  );
  if (isAllowed || (!isNamed && rule.isClosed !== true)) return undefined;
  return `imports ${target}, which ${rule.place} may not`;
}

function check(files: readonly SourceFile[]): readonly Breach[] {
  return files
    .filter(({ path }) => isCode(path) && !isTest(path) && !toolSettings.test(path))
    .flatMap((file): readonly Breach[] => {
      const found = ruleFor(file.path);
      if (found === undefined) {
        return [{ path: file.path, says: "lies in no place of the import table: add a row to import-table.ts" }];
      }
      return importsOf(file).flatMap((one) => {
        const says = refusal(found.rule, found.own, one);
        return says === undefined ? [] : [{ path: file.path, line: one.line, says }];
      });
    });
}

export const importRule: Rule = { name: "each folder imports only what the table allows", check };
