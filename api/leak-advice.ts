import type { Life } from "../domain/leak.ts";
import type { LeakedVersion } from "../ledger/leak-views.ts";

/** What ends it at once. The reason is the person's own. */
export function commandOf({ credential, version, state, deletedAt }: LeakedVersion, life: Life): string | null {
  // No rotation begins for what a person has let go, or what died before: there is nothing of it that rekey could still end.
  if (life === "dead" || state === "proven-dead" || state === "accepted-unproven" || deletedAt !== null) return null;
  return `rekey rotate ${credential} --emergency --version ${version} --reason "…"`;
}

/** A sentence on what its state means, and what to do. */
export function nextOf(one: LeakedVersion, life: Life): string {
  const { version, rotation, deletedAt, connection, handle, revivedAt } = one;
  if (life === "dead") return "The issuer refuses it. Nothing is to be done about the value itself.";
  if (revivedAt !== null)
    return `It was proven dead, and ${handle ?? "it"} can log in again since: somebody has brought it back at the issuer. rekey ends nothing of what is dead already: take it away by hand, at what connection ${connection} reaches.`;
  if (deletedAt !== null)
    return `The credential is registered no more, so that rekey ends nothing of it. End ${handle ?? "it"} by hand, at what connection ${connection} reached.`;
  const running =
    rotation === null || (rotation.fromVersion !== version && rotation.toVersion !== version)
      ? ""
      : ` Rotation ${rotation.id} ${rotation.toVersion === version ? "is bringing it" : "is replacing it"}, in the phase ${rotation.phase}.`;
  return `${meanings[one.state] ?? "It may be in use."}${running}`;
}

const meanings: Readonly<Record<string, string>> = {
  intended: "It is being made: the issuer may accept it already.",
  live: "The issuer accepts it.",
  disabled: "The issuer refuses it for now, and could accept it again.",
  ended: "It was ended, and nobody has seen it refused yet.",
  "accepted-unproven":
    "A person let its rotation end although nobody had seen it refused: it may be in use. rekey ends nothing of it any more: look at its issuer, and end it there by hand.",
};
