import type { Custody } from "../custody/custody.ts";
import { connectionSecretRef } from "../custody/refs.ts";
import type { ConnectionSecrets, GivenSecret } from "../manifests/planning.ts";
import { RekeyError } from "../domain/errors.ts";
import { Secret } from "../providers/contract/secret.ts";
import { assertFit, type FieldDeclarations, type Value } from "../providers/contract/value.ts";
import type { ApiDeps } from "./deps.ts";

/** A secret as it was sent: one text, or several by the names of their fields. */
export const wrapped = (sent: string | Readonly<Record<string, string>>): GivenSecret =>
  typeof sent === "string"
    ? new Secret(sent)
    : Object.fromEntries(Object.entries(sent).map(([name, text]) => [name, new Secret(text)]));

/** The fields of a connection's secret. One text stands for the only field; several come by their names. */
export function asValue(fields: FieldDeclarations, given: GivenSecret): Value | undefined {
  if (!(given instanceof Secret))
    return Object.fromEntries(
      Object.entries(given).map(([name, part]) => [name, fields[name]?.secret === false ? String(part) : part]),
    );
  const [only, ...others] = Object.keys(fields);
  return only === undefined || others.length > 0 ? undefined : { [only]: given };
}

function secretsOf(fields: FieldDeclarations, given: GivenSecret): readonly Secret<string>[] {
  const value = asValue(fields, given) ?? {};
  return Object.keys(fields)
    .toSorted()
    .flatMap((name) => {
      const part = value[name];
      return part instanceof Secret ? [part] : [];
    });
}

/** Puts connections' secrets into custody; nothing here reads one back. */
export function createConnectionSecrets({
  custody,
  fingerprints,
  instance,
}: Pick<ApiDeps, "fingerprints" | "instance"> & { readonly custody: Custody }): ConnectionSecrets {
  return {
    refusal(fields, given) {
      const value = asValue(fields, given);
      const names = Object.keys(fields).join(", ");
      if (value === undefined)
        return `must name each of ${names}, such as { ${Object.keys(fields)[0] ?? "field"}: { file: PATH } }.`;
      try {
        assertFit(value, fields);
        return undefined;
      } catch (error) {
        return error instanceof RekeyError ? `gives a secret that cannot be used. ${error.detail}` : "cannot be used.";
      }
    },
    fingerprint: (fields, given) =>
      secretsOf(fields, given)
        .map((secret) => fingerprints.of(secret))
        .join(" "),
    isSame(fields, given, fingerprint) {
      const secrets = secretsOf(fields, given);
      const stored = fingerprint.split(" ");
      return (
        secrets.length === stored.length &&
        secrets.every((secret, at) => fingerprints.isOf(secret, stored[at] ?? "") === true)
      );
    },
    async put(place, fields, given) {
      const ref = connectionSecretRef(place, instance);
      // An apply that failed after its put may have left another value in the very place that this one takes.
      await custody.forget(ref);
      await custody.putIfAbsent(ref, asValue(fields, given) ?? {});
    },
    forget: (place) => custody.forget(connectionSecretRef(place, instance)),
  };
}
