import type { Answer } from "../api/client.ts";
import { usage } from "./cli-error.ts";
import { emptyList } from "./empty-list.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { readSecretInput } from "./read-input.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { detailLines, findingLines, waitForCheck } from "./wait-for-check.ts";
import { wrap } from "./wrap.ts";

export interface ListOptions {
  readonly team?: string;
  readonly environment?: string;
  readonly selector?: string;
  readonly limit?: number;
}

type Summary = Answer<"listCredentials">["credentials"][number];

export async function listCredentials(io: Io, { team, environment, selector, limit }: ListOptions): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("listCredentials", { query: { team, environment, labels: selector, limit } });
  io.give(answer);
  const rows = answer.credentials.map((one) => [
    `${one.team}/${one.name}`,
    one.environment,
    one.kind,
    one.currentVersion === null ? "not adopted" : `version ${one.currentVersion}`,
    `${one.consumers} ${one.consumers === 1 ? "consumer" : "consumers"}`,
    rotationOf(one),
  ]);
  if (rows.length === 0)
    io.say(emptyList("credential", { team, environment, selector }, "Register one: rekey apply -f FILE"));
  else io.say(...table([["CREDENTIAL", "ENVIRONMENT", "KIND", "CURRENT", "CONSUMERS", "ROTATION"], ...rows]));
  return exitCodes.done;
}

function rotationOf({ openRotation, lastOutcome, lastClosedAt }: Summary): string {
  if (openRotation !== null)
    return `${openRotation.phase}${openRotation.hold === null ? "" : `, HOLD ${openRotation.hold}`} (${openRotation.id})`;
  return lastOutcome === null ? "never" : `${lastOutcome} ${clock(lastClosedAt ?? "")}`;
}

export async function showCredential(io: Io, credential: string): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showCredential", { params: { credential } });
  io.give(found);
  const ref = `${found.team}/${found.name}`;
  io.say(
    `Credential ${ref} (${found.environment}), ${found.kind}, ${found.order}   ${found.id}`,
    ...(found.connection === null
      ? [`  Shared      by team ${found.team}: you see its phase and your own consumers`]
      : placeLines(found, found.connection)),
    `  Policy      ${found.policyRef === null ? "" : `${found.policyRef}: `}${Object.entries(found.policy)
      .flatMap(([name, value]) => (typeof value === "string" || typeof value === "number" ? [`${name} ${value}`] : []))
      .join(", ")}`,
    `              All of it, and who says it: rekey policy explain ${ref}`,
    ...currentLines(found),
    `  Rotation    ${rotationOf(found)}`,
    "",
    ...(found.versions.length === 0
      ? []
      : ["Versions", ...table(found.versions.map((version) => versionRow(version, found.adoption))), ""]),
    found.consumerList.length === 0
      ? "Consumers: none is registered, so that nobody can show who uses it."
      : "Consumers",
    ...table(
      found.consumerList.map((one) => [
        `  ${one.ref}`,
        one.connection === null ? one.target : `${one.target} over ${one.connection.ref}`,
        one.heldVersion === null ? "nothing delivered" : `holds version ${one.heldVersion}`,
        `asked for ${one.wanted}`,
        `can give ${one.canGive.join(", ")}`,
      ]),
    ),
  );
  return exitCodes.done;
}

type Shown = Answer<"showCredential">;

/** What only its owner sees. */
function placeLines(found: Shown, { ref, hasSecret }: NonNullable<Shown["connection"]>): readonly string[] {
  const { sharedWith } = found;
  return [
    `  Connection  ${ref}${hasSecret ? "" : ", which has no secret: apply it with secretFrom"}`,
    `  Logins      ${found.principals.map(printable).join(", ")}`,
    ...inventoryLines(found),
    ...(found.custody === "embedded" ? [] : [`  Custody     ${found.custody}`]),
    ...(sharedWith.length === 0 ? [] : [`  Shared      with ${sharedWith.map(printable).join(", ")}`]),
  ];
}

/** Only what is said of it. */
function inventoryLines({ inventory, labels, annotations }: Shown): readonly string[] {
  const { owner, backupOwner, criticality, scopes = [], expiresAt, readers = [] } = inventory;
  const pairs = (given: Readonly<Record<string, string>>) =>
    Object.entries(given).map(([key, value]) => `${key}=${value}`);
  const said: readonly (readonly [string, string])[] = [
    ["Owner", [owner, ...(backupOwner === undefined ? [] : [`backup ${backupOwner}`])].filter(Boolean).join(", ")],
    ["Criticality", criticality ?? ""],
    ["Scopes", scopes.join(", ")],
    ["Expires", expiresAt ?? ""],
    ["Readers", readers.join(", ")],
    ["Labels", pairs(labels).join(", ")],
    ["Annotations", pairs(annotations).join(", ")],
  ];
  return said.flatMap(([name, text]) => (text === "" ? [] : [`  ${name.padEnd(11)} ${printable(text)}`]));
}

function currentLines({ currentVersion, adoption }: Shown): readonly string[] {
  if (currentVersion !== null) return [`  Current     version ${currentVersion}`];
  if (adoption === null) return ["  Current     none"];
  const { command, last } = adoption;
  const give = (text: string) => wrap(`${text}: ${printable(command)}`, "              ");
  if (last === null) return ["  Current     none", ...give("Give the value it has today")];
  if (last.state === "pending")
    return [`  Current     none: a worker looks since ${clock(last.at)} whether the issuer accepts what was given`];
  return [
    `  Current     none: what was given at ${clock(last.at)} was not adopted`,
    ...last.findings.flatMap(findingLines).map((line) => `            ${line}`),
    ...give("Then give it again"),
  ];
}

function versionRow({ number, state, createdAt, endedAt }: Shown["versions"][number], adoption: Shown["adoption"]) {
  const given = adoption?.last?.state === "pending" ? "given, not yet accepted" : "given, not adopted";
  return [
    `  ${number}`,
    adoption !== null && state === "intended" ? given : state,
    `since ${clock(createdAt)}`,
    endedAt === null ? "" : `ended ${clock(endedAt)}`,
  ];
}

export interface AdoptOptions {
  readonly username?: string;
  readonly unknown?: boolean;
  readonly field?: readonly string[];
  readonly timeout?: number;
}

/** `rekey credential adopt`: the secret comes on standard input, never as an argument. */
export async function adopt(io: Io, credential: string, options: AdoptOptions): Promise<ExitCode> {
  const client = await io.client();
  const isUnknown = options.unknown === true;
  const secret = isUnknown ? {} : { secret: await readSecretInput("Its password today: ") };
  const given = (options.field ?? []).map((pair): [string, string] => {
    const [name = "", ...rest] = pair.split("=");
    if (name === "" || rest.join("=") === "")
      throw usage("--field needs a name and a value", "Write --field NAME=VALUE, and nothing that is secret.");
    return [name, rest.join("=")];
  });
  const fields = {
    ...(options.username === undefined ? {} : { username: options.username }),
    ...Object.fromEntries(given),
  };
  const { checkId } = await client.call("adoptCredential", { params: { credential }, body: { ...secret, fields } });
  io.say(`Check ${checkId}: asking the issuer ${isUnknown ? "for the login" : "whether it accepts the value"}.`);
  const check = await waitForCheck(io, client, checkId, options.timeout ?? 60_000);
  io.give(check);
  if (check.state === "done") {
    if (isUnknown)
      io.say(
        "Adopted as version 1 without its value. The first rotation asks you twice: before it writes over what the consumers",
        "have, since no undo could put that back, and before the old version ends, since no login could prove it dead.",
      );
    io.say(
      `${isUnknown ? "" : "Adopted as version 1. "}See what a rotation would do: rekey rotation plan ${credential}`,
    );
    return exitCodes.done;
  }
  io.say(
    "It was not adopted, and nothing was changed:",
    ...check.findings.flatMap(detailLines),
    "  Next: mend that, then give the value again.",
  );
  return exitCodes.failed;
}
