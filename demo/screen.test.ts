import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { openScreen, type SceneResult } from "./screen.ts";

function written(show: (screen: ReturnType<typeof openScreen>) => void): string {
  const stream = new PassThrough();
  show(openScreen(stream));
  return String(stream.read());
}

const scene: SceneResult = {
  title: "1 under load",
  rotationId: "rot_1",
  outcome: "proven",
  tookMs: 4210,
  refusedAfterMs: 3901,
  ordersPlaced: 210,
  failedStatements: 0,
  refusedLogins: 0,
};

test("a pipe gets no colours", () => {
  const text = written((screen) => {
    screen.scene("Scene 1", ["why it matters"]);
    screen.line("witness", "the old login is refused", "28P01");
    screen.done("proven");
  });
  expect(text).not.toContain("\u001b");
  expect(text).toMatch(/^ +\+0\.\d\d s {2}witness {2}the old login is refused$/m);
});

test("the last table adds everything up and says where the old login lives on", () => {
  const undone: SceneResult = {
    ...scene,
    title: "2 undone",
    outcome: "undone",
    refusedAfterMs: undefined,
    failedStatements: 2,
  };
  const lines = written((screen) => screen.table([scene, undone]))
    .trim()
    .split("\n");
  expect(lines[2]).toMatch(/^1 under load +rot_1 +proven +4\.21 s +after 3\.90 s +210 +0 +0$/);
  expect(lines[3]).toMatch(/undone +rot_1 +undone .*still valid +210 +2 +0$/);
  expect(lines.at(-1)).toMatch(/^together +8\.42 s +420 +2 +0$/);
  expect(lines.every((line) => line.length <= 160)).toBe(true);
});
