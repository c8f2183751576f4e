import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../../../docs/vault.md", import.meta.url), "utf8");

/** A policy as docs/vault.md prints it, with the names that a test has instead of the page's. */
export function policyOnPage(name: "consumer" | "issuer" | "custody", names: Readonly<Record<string, string>>): string {
  const [, text] = new RegExp(`<!-- policy: ${name} -->\n+\`\`\`hcl\n([^\`]*)\`\`\``).exec(page) ?? [];
  if (text === undefined) throw new Error(`docs/vault.md has no policy "${name}"`);
  return Object.entries(names).reduce((done, [from, to]) => {
    if (!done.includes(from)) throw new Error(`the policy "${name}" of docs/vault.md does not name ${from}`);
    return done.replaceAll(from, to);
  }, text);
}

/** The fields that docs/vault.md gives the AppRole of a login. */
export function roleOnPage(policy: string): Readonly<Record<string, string>> {
  const [, text] = /^vault write auth\/approle\/role\/rekey-NAME (.*)$/m.exec(page) ?? [];
  if (text === undefined) throw new Error("docs/vault.md makes no role");
  return Object.fromEntries(
    text
      .replaceAll("rekey-NAME", policy)
      .split(" ")
      .map((field) => field.split("=")),
  );
}
