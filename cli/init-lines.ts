import { join } from "node:path";
import type { Answer } from "../api/client.ts";
import { printable, table } from "./table.ts";
import { findingLines } from "./wait-for-check.ts";
import { wrap } from "./wrap.ts";

type Found = Extract<Answer<"showCheck">["result"], { steps: unknown }>;

export function seenLines({ seen }: Found): readonly string[] {
  return ["What was seen", ...table(seen.map(({ name, text }) => [`  ${name}`, printable(text)])), ""];
}

export function problemLines(findings: Answer<"showCheck">["findings"]): readonly string[] {
  if (findings.length === 0) return [];
  return ["In the way", ...findings.flatMap(findingLines), ""];
}

export const underRekeyLines = ({ username, credential }: Found): readonly string[] => [
  `${printable(username)} is under rekey already as ${credential}; nothing is to do.`,
  `How it stands: rekey credential show ${credential}`,
];

/** What is to be pasted stands at the margin, so that nothing but it is copied. */
export function stepLines(step: Found["steps"][number], index: number): readonly string[] {
  return [
    `Step ${index + 1}. ${printable(step.title)}`,
    ...wrap(printable(step.why), "  "),
    `  In ${step.where}:`,
    "",
    asTyped(step.run),
    "",
    "  To take it back, before the first rotation:",
    "",
    asTyped(step.undo),
    "",
  ];
}

/** What the server says of a login could move the cursor of whoever reads what to paste. */
const asTyped = (text: string): string => text.split("\n").map(printable).join("\n");

export interface Next {
  readonly out?: string;
  readonly file?: string;
  readonly isFileThere: boolean;
}

export function nextLines(found: Found, folder: string, path: string, next: Next): readonly string[] {
  return [
    ...noteLines(found, next),
    "Then, one line at a time: some of them ask",
    ...(next.out === undefined ? [`  Put the manifests into a file, such as ${path}.`] : []),
    ...passwordLines(found, folder),
    `  rekey apply -f ${path}`,
    `  rekey credential adopt ${found.credential} --username ${word(found.username)}`,
    `  rekey rotation plan ${found.credential}`,
    `  rekey rotate ${found.credential} --wait`,
  ];
}

/** What the manifests lack. */
function noteLines({ manifests, username }: Found, { file, isFileThere }: Next): readonly string[] {
  if (file === undefined)
    return [
      ...wrap(
        "No Consumer is in the manifests. A file: run this again with --file PATH. Kubernetes: docs/kubernetes.md. Before you rotate.",
        "",
      ),
      "",
    ];
  const consumer = manifests.find(({ kind }) => kind === "Consumer");
  const notes = [
    ...(isFileThere
      ? []
      : [
          `${printable(file)} does not exist on this machine: correct --file, or see that it is there where the worker runs.`,
        ]),
    ...(consumer?.spec?.["evidence"] === undefined
      ? [
          `No evidence could be written: ${printable(username)} has no session in this database now. Run this while the application is connected, or add spec.evidence to the Consumer.`,
        ]
      : []),
  ];
  return notes.flatMap((note) => [...wrap(note, ""), ""]);
}

function passwordLines({ manifests, connection, steps }: Found, folder: string): readonly string[] {
  if (connection !== undefined)
    return [`  The connection ${connection} is registered already, with its password: it is used.`];
  const login = configOf(manifests)?.user ?? "its login";
  const password = passwordFile(manifests, folder);
  const isNew = steps.some(({ run }) => run.startsWith("\\password"));
  return [
    `  Put the password of ${printable(login)} (you ${isNew ? "give it one in a step above" : "gave it one before"}) into ${password}, for you alone.`,
    `  (umask 077; touch ${password})     # then write it in with your editor`,
  ];
}

const word = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

const configOf = (manifests: Found["manifests"]) =>
  manifests.find(({ kind }) => kind === "Connection")?.spec?.["config"] as { readonly user?: string } | undefined;

function passwordFile(manifests: Found["manifests"], folder: string): string {
  const sources = manifests.map(({ spec }) => spec?.["secretFrom"] as { readonly file: string } | undefined);
  return join(folder, sources.find((source) => source !== undefined)?.file ?? "");
}

/** The file with the connection's secret lies beside the manifests. */
export function inFolder(manifests: Found["manifests"], folder: string): Found["manifests"] {
  const file = passwordFile(manifests, folder);
  return manifests.map((one) =>
    one.spec?.["secretFrom"] === undefined ? one : { ...one, spec: { ...one.spec, secretFrom: { file } } },
  );
}
