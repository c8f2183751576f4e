import { z } from "zod";
import type { Right } from "./rights.ts";
import { parsedAs, type Vault } from "./vault.ts";

const selfRight: Right = { path: "sys/capabilities-self", capabilities: ["update"] };
const answered = z.object({ data: z.record(z.string(), z.unknown()) });

/**
 * What the login may do on each path, by Vault's own word; the policy "default" lets everybody ask.
 * https://developer.hashicorp.com/vault/api-docs/system/capabilities-self
 */
export async function capabilitiesOn(
  vault: Vault,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const call = { method: "POST", path: selfRight.path, json: { paths }, right: selfRight } as const;
  const { data } = parsedAs(vault, answered, await vault.ask(call, signal), selfRight);
  const wordsOn = (path: string) => z.array(z.string()).safeParse(data[path]).data ?? [];
  return Object.fromEntries(paths.map((path) => [path, wordsOn(path)]));
}

/** What is missing of these rights, each with only the capabilities that it lacks. */
export async function lackedOf(vault: Vault, rights: readonly Right[], signal: AbortSignal): Promise<readonly Right[]> {
  const found = await capabilitiesOn(
    vault,
    rights.map(({ path }) => path),
    signal,
  );
  return rights.flatMap(({ path, capabilities }) => {
    const has = found[path] ?? [];
    const lacked = has.includes("root") ? [] : capabilities.filter((one) => !has.includes(one));
    return lacked.length === 0 ? [] : [{ path, capabilities: lacked }];
  });
}
