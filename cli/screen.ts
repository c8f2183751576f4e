import type { WriteStream } from "node:tty";

export interface Screen {
  /** Puts these lines where the last ones stood. */
  draw(lines: readonly string[]): void;
}

/** Redraws in place. Lines longer than the terminal are cut, since a wrapped one would be counted wrong. */
export function openScreen(out: WriteStream): Screen {
  let drawn = 0;
  return {
    draw(lines) {
      const room = Math.max(20, out.columns);
      const shown = lines.flatMap((text) => text.split("\n")).map((line) => line.slice(0, room - 1));
      const up = drawn === 0 ? "" : `\u001b[${drawn}A\r`;
      out.write(`${up}${shown.map((line) => `${line}\u001b[K`).join("\n")}\n\u001b[J`);
      drawn = shown.length;
    },
  };
}
