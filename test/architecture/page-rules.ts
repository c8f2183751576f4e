import { posix } from "node:path";
import { lineAt, type Breach, type Rule, type SourceFile } from "./source-file.ts";

const quoted = /`([\w.-]+(?:\/[\w.<>-]+)*\/?)`/g;
const linked = /\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g;
/** A path from the root: into a folder, or a file of code. Settings, codes and words of prose are none. */
const isPath = (text: string): boolean =>
  /\w\.(?:ts|mjs|json)$/.test(text) || /^[a-z]+\/$/.test(text) || /^[a-z]+\/.*\/$/.test(text);
/** What lies on a user's machine, made by running. */
const elsewhere =
  /^(?:custody|keys\/\w+|package(?:-lock)?)\.json$|^(?:keys|logs|postgres|temporal|dist|node_modules)\//;

function exists(files: readonly SourceFile[], path: string): boolean {
  const pattern = path.includes("<") ? new RegExp(`^${path.replace(/<\w+>/g, "[^/]+")}`) : undefined;
  return files.some((file) =>
    pattern === undefined
      ? file.path === path || file.path.startsWith(path.endsWith("/") ? path : `${path}/`) || isNamed(file.path, path)
      : pattern.test(file.path),
  );
}

/** A name without its folder, where the sentence has named that. */
const isNamed = (path: string, name: string): boolean => !name.includes("/") && path.endsWith(`/${name}`);

function check(files: readonly SourceFile[]): readonly Breach[] {
  return files
    .filter(({ path }) => path.endsWith(".md"))
    .flatMap(({ path, text }) => {
      const named = [...text.matchAll(quoted)]
        .filter(([, target = ""]) => isPath(target) && !elsewhere.test(target))
        .map(({ 1: target = "", index }) => ({ target, index }));
      const links = [...text.matchAll(linked)].map(({ 1: target = "", index }) => ({
        target: posix.join(posix.dirname(path), target),
        index,
      }));
      return (
        [...named, ...links]
          // A page in a folder also names what lies beside it.
          .filter(({ target }) => !exists(files, target) && !exists(files, posix.join(posix.dirname(path), target)))
          .map(({ target, index }) => ({
            path,
            line: lineAt(text, index),
            says: `names ${target}, which is not there`,
          }))
      );
    });
}

export const pageRule: Rule = { name: "pages name files and folders that are there", check };
