import type { WriteStream } from "node:tty";

export interface Screen {
  /** Puts these lines where the last ones stood. */
  draw(lines: readonly string[]): void;
}

/**
 * Redraws in place. What does not fit is cut, in width and in height: a line that wrapped or scrolled away would be
 * counted wrong and stay.
 */
export function openScreen(out: Pick<WriteStream, "columns" | "rows" | "write">): Screen {
  let drawn = 0;
  return {
    draw(lines) {
      const room = Math.max(20, out.columns);
      const most = Math.max(5, out.rows - 1);
      const all = lines.flatMap((text) => text.split("\n")).map((line) => line.slice(0, room - 1));
      const shown = all.length <= most ? all : [...all.slice(0, most - 1), `… ${all.length - most + 1} more lines`];
      const up = drawn === 0 ? "" : `\u001b[${drawn}A\r`;
      out.write(`${up}${shown.map((line) => `${line}\u001b[K`).join("\n")}\n\u001b[J`);
      drawn = shown.length;
    },
  };
}
