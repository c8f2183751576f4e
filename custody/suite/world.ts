import assert from "node:assert/strict";
import { Secret } from "../../providers/contract/secret.ts";
import { revealField, type Value } from "../../providers/contract/value.ts";
import type { Custody, CustodyRef } from "../custody.ts";

export interface CustodyWorld {
  /** Two custodies of one store, as two processes have them. */
  readonly custody: Custody;
  readonly other: Custody;
  /** A ref that nobody has used. */
  readonly freshRef: () => CustodyRef;
  /** The next write of `custody` reaches the store, and its answer does not come back. */
  readonly losesNextAnswer?: () => void | Promise<void>;
  /** The next write of `custody` does not reach the store. */
  readonly losesNextWrite?: () => void | Promise<void>;
}

/** What a world may be unable to do. */
export type CustodyAbility = "losesNextAnswer" | "losesNextWrite";

export interface CustodyClause {
  readonly name: string;
  readonly needs?: CustodyAbility;
  check(world: CustodyWorld): Promise<void>;
}

/** Does what a clause says that it needs. */
export async function use(world: CustodyWorld, ability: CustodyAbility): Promise<void> {
  const found = world[ability];
  assert.ok(found !== undefined, `The world cannot do "${ability}": declare that as lacking, with its reason.`);
  await found();
}

export const value = (password: string): Value => ({ username: "app_a", password: new Secret(password) });
export const passwordOf = (found: Value | undefined) =>
  found === undefined ? undefined : revealField(found, "password");
