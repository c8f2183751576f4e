import type { Catalog } from "../providers/catalog.ts";

type Definition = Pick<Catalog["issuers"][string], "adoptedFields" | "authenticator">;

/** The very command that gives a credential the value it has today. `LOGIN` stands for one of several logins. */
export function adoptCommand(
  { adoptedFields, authenticator }: Definition,
  ref: string,
  logins: readonly string[],
): string {
  const [only, ...others] = logins;
  const login = only === undefined || others.length > 0 ? "LOGIN" : only;
  const options = adoptedFields
    .filter((name) => name !== authenticator)
    .map((name) => (name === "username" ? `--username ${login}` : `--field ${name}=VALUE`));
  return ["rekey credential adopt", ref, ...options].join(" ");
}

/** The same with what `LOGIN` may be. */
export function adoptHint(definition: Definition, ref: string, logins: readonly string[]): string {
  const command = adoptCommand(definition, ref, logins);
  return command.includes("LOGIN") ? `${command}, where LOGIN is the one in use of ${logins.join(", ")}` : command;
}
