import type { Writable } from "node:stream";
import { styleText } from "node:util";

/** Who does or sees what a line tells. */
export type Actor = "rekey" | "service" | "you" | "witness" | "demo" | "report";

export interface SceneResult {
  readonly title: string;
  readonly rotationId: string;
  readonly outcome: string;
  readonly tookMs: number;
  /** How long after the start of the rotation the former login was refused for good; absent when it was not to be. */
  readonly refusedAfterMs: number | undefined;
  readonly ordersPlaced: number;
  readonly failedStatements: number;
  readonly refusedLogins: number;
}

export interface Screen {
  /** Starts a scene: its clock begins at zero. */
  scene(title: string, why: readonly string[]): void;
  /** One line of the timeline. */
  line(actor: Actor, what: string, more?: string): void;
  /** What belongs to the line before. */
  note(what: string): void;
  /** A conclusion. */
  done(what: string): void;
  wrong(what: string): void;
  text(...lines: readonly string[]): void;
  table(results: readonly SceneResult[]): void;
}

type Format = Parameters<typeof styleText>[0];

const colours: Readonly<Record<Actor, Format>> = {
  rekey: "cyan",
  service: "green",
  you: "magenta",
  witness: "yellow",
  demo: "dim",
  report: "red",
};

/** Writes the demonstration for people. `styleText` leaves colours out unless it is a terminal without NO_COLOR. */
export function openScreen(stream: Writable & { readonly isTTY?: boolean }): Screen {
  let began = performance.now();
  const write = (text: string): void => void stream.write(`${text}\n`);
  const paint = (format: Format, text: string): string =>
    stream.isTTY === true ? styleText(format, text, { stream }) : text;

  return {
    scene(title, why) {
      began = performance.now();
      write("");
      write(paint("bold", title));
      for (const line of why) write(paint("dim", `  ${line}`));
    },
    line(actor, what, more) {
      const at = `+${seconds(performance.now() - began)}`.padStart(9);
      write(`${paint("dim", at)}  ${paint(colours[actor], actor.padEnd(8))} ${what}`);
      if (more !== undefined) write(paint("dim", `${" ".repeat(20)}${more}`));
    },
    note: (what) => write(paint("dim", `${" ".repeat(20)}${what}`)),
    done: (what) => write(`${" ".repeat(9)}  ${paint("green", `✓ ${what}`)}`),
    wrong: (what) => write(`${" ".repeat(9)}  ${paint("red", `✗ ${what}`)}`),
    text: (...lines) => lines.forEach(write),
    table: (results) => tableLines(results).forEach(write),
  };
}

/** `1.20 s` */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** Columns as wide as their widest cell; numbers to the right. */
function tableLines(results: readonly SceneResult[]): readonly string[] {
  const head = ["scene", "rotation", "outcome", "took", "old login refused", "orders", "failed", "refused"];
  const sum = (of: (result: SceneResult) => number): string => String(results.reduce((n, one) => n + of(one), 0));
  const rows = [
    head,
    ...results.map((one) => [
      one.title,
      one.rotationId,
      one.outcome,
      seconds(one.tookMs),
      one.refusedAfterMs === undefined ? "still valid" : `after ${seconds(one.refusedAfterMs)}`,
      String(one.ordersPlaced),
      String(one.failedStatements),
      String(one.refusedLogins),
    ]),
    [
      "together",
      "",
      "",
      seconds(results.reduce((n, one) => n + one.tookMs, 0)),
      "",
      sum((one) => one.ordersPlaced),
      sum((one) => one.failedStatements),
      sum((one) => one.refusedLogins),
    ],
  ];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return ["", ...lines.slice(0, 1), rule, ...lines.slice(1, -1), rule, ...lines.slice(-1)];
}
