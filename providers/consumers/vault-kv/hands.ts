import { printable } from "../../../domain/printable.ts";
import { readKv, writerOf } from "../../systems/vault/kv.ts";
import { placeIn } from "./config.ts";
import { markIn } from "./mark.ts";
import { keysOf, type LiveVersion, type Target } from "./target.ts";

/** Vault keeps ten versions unless it is told otherwise. */
const mostLookedAt = 10;

/**
 * Since which version our keys hold something else than our delivery put there, by the versions that Vault keeps. A
 * sentence; empty where nobody was at them.
 */
export async function foreignHands(target: Target, now: LiveVersion): Promise<string> {
  const { vault, config, consumer, signal } = target;
  const keys = keysOf(target);
  const textsIn = (data: LiveVersion["data"]) => JSON.stringify(keys.map((key) => data[key] ?? null));
  const mark = markIn(now.data, consumer);
  if (mark === undefined || mark.version >= now.version) return "";
  const ours = await readKv(vault, placeIn(config), signal, mark.version);
  if (ours.state !== "live") return `Versions ${mark.version + 1} to ${now.version} were written by somebody else.`;
  if (textsIn(ours.data) === textsIn(now.data)) return "";
  for (let version = Math.max(mark.version + 1, now.version - mostLookedAt); version < now.version; version++) {
    const seen = await readKv(vault, placeIn(config), signal, version);
    if (seen.state === "live" && textsIn(seen.data) !== textsIn(ours.data))
      return written(target, version, seen.createdAt);
  }
  return written(target, now.version, now.createdAt);
}

async function written({ vault, config, signal }: Target, version: number, createdAt: string): Promise<string> {
  const writer = await writerOf(vault, placeIn(config), version, signal);
  const whose =
    writer === undefined ? "Vault's audit log says whose it is" : `the login "${printable(writer)}" wrote it`;
  return `Version ${version}, of ${createdAt}, holds something else in our keys than rekey delivered; ${whose}.`;
}
