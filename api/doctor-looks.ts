import { roughly, type Look, type LookState } from "../domain/look.ts";
import type { DoctorFacts, Noted } from "../ledger/doctor-facts.ts";
import { version } from "../release.ts";

export interface CustodyKeyPlace {
  readonly file: string;
  /** Of the key that values are sealed under now. */
  readonly id: string;
}

/** A row is sealed within a second; this long without is trouble. */
const sealedWithinMs = 30_000;

/** What the API knows by itself: the ledger, what is registered, what waits, and the custody key. */
export function ownLooks(facts: DoctorFacts, key: CustodyKeyPlace, places: readonly string[]): readonly Look[] {
  return [
    {
      about: "API and ledger",
      state: "ok",
      text: `rekey ${version} over PostgreSQL ${facts.server}, schema ${facts.latestMigration.replace(/\.sql$/, "")}.`,
    },
    keyLook(facts, key),
    ...facts.places.map((one) => placeLook(one, places)),
    ...facts.halfMoved.map((one) =>
      look(
        `Credential ${one.name}`,
        "warn",
        `A move of its values did not come to its end: one of them may lie in a second place, besides ${one.more}, where it is read. Move it again, to either.`,
        `rekey credential move ${one.name} --custody ${one.more}`,
      ),
    ),
    sealLook(facts),
    ...facts.holds.map((one) =>
      look(
        `Rotation ${one.name}`,
        "waits",
        `It holds since ${ago(one)} (${one.more}), until a person answers.`,
        `rekey rotation show ${one.name}`,
      ),
    ),
    ...facts.paused.map((one) =>
      look(
        `Rotation ${one.name}`,
        "waits",
        `It is paused since ${ago(one)} (${one.more}), until a person resumes it.`,
        `rekey rotation resume ${one.name}`,
      ),
    ),
    ...facts.carrierless.map((one) =>
      look(
        `Rotation ${one.name}`,
        "bad",
        `No worker has looked at it since ${ago(one)} (${one.more}), although it is open. See that a worker and Temporal run.`,
        "rekey worker",
      ),
    ),
    ...facts.unadopted.map((one) =>
      look(
        `Credential ${one.name}`,
        "warn",
        `It was registered ${ago(one)} ago and has no version: rekey does not know the value that it has today.`,
        `rekey credential show ${one.name}`,
      ),
    ),
    ...facts.elsewhere.map((one) =>
      look(
        `Connection ${one.name}`,
        "warn",
        `It is in pool ${one.more}, where nobody has looked: this command looks in the pool default only.`,
        `rekey export connection ${one.name}`,
      ),
    ),
    ...facts.withoutConsumers.map((one) =>
      look(
        `Credential ${one.name}`,
        "warn",
        "No consumer of it is registered, so that nobody can show who uses it: its rotations hold before they end a version.",
        "rekey apply -f FILE",
      ),
    ),
    ...facts.withoutEvidence.map((one) =>
      look(
        `Consumer ${one.name}`,
        "warn",
        `It has no evidence but that a version was delivered (${one.more}). Add spec.evidence to its manifest.`,
        `rekey export consumer ${one.name}`,
      ),
    ),
    ...facts.expiring.map(expiryLook),
  ];
}

const look = (about: string, state: LookState, text: string, mend: string): Look => ({ about, state, text, mend });
const ago = ({ ageMs }: Noted) => roughly(ageMs);

function expiryLook(one: Noted): Look {
  const text =
    one.ageMs >= 0
      ? `Its expiresAt, ${one.more}, has passed. Rotate it, then write the next day in its manifest.`
      : `It expires at ${one.more}, in ${roughly(-one.ageMs)}.`;
  return look(`Credential ${one.name}`, one.ageMs >= 0 ? "bad" : "warn", text, `rekey rotate ${one.name}`);
}

function keyLook({ keyCopied }: DoctorFacts, { file, id }: CustodyKeyPlace): Look {
  const about = `Custody key ${id}`;
  if (keyCopied?.keyId === id)
    return {
      about,
      state: "ok",
      text: `It lies in ${file}, for its user alone. Copied on ${keyCopied.at.toISOString().slice(0, 10)}.`,
    };
  return look(
    about,
    "warn",
    `It lies in ${file}, and nobody has said that a copy is kept elsewhere. Whoever loses it loses every value in custody and has to adopt each credential again. Keep the copy apart from the ledger's backups.`,
    `install -m 600 ${file} FOLDER/\nrekey custody copied`,
  );
}

function placeLook({ name, more }: Noted, places: readonly string[]): Look {
  const about = `Custody place ${name}`;
  const has = `${more} ${more === "1" ? "credential has its values" : "credentials have their values"} there`;
  if (places.includes(name)) return { about, state: "ok", text: `${has}.` };
  return look(
    about,
    "bad",
    `${has}, and the API's settings do not name it, so that they cannot be read. Put its entry back into the file of REKEY_CUSTODIES_FILE, for the API and every worker, and restart them.`,
    "rekey doctor",
  );
}

function sealLook({ unsealed, unsealedMs }: DoctorFacts): Look {
  if (unsealedMs <= sealedWithinMs) return { about: "Audit trail", state: "ok", text: "It is sealed to its end." };
  return look(
    "Audit trail",
    "bad",
    `${unsealed} rows are not sealed, the oldest since ${roughly(unsealedMs)}. Workers seal; see that one runs.`,
    "rekey worker",
  );
}
