import { createHmac, randomBytes } from "node:crypto";
import type { Secret } from "../../contract/secret.ts";
import type { ConnectionConfig } from "./config.ts";
import type { LoggedIn } from "./login.ts";

/** Long enough for the next step of a rotation that hurries, or of one beside it. Milliseconds. */
const restMs = 2_000;
/** However often it is used: that the login's password was changed is to be noticed. Milliseconds. */
const oldestMs = 2_000;
/** Of one connection; one more is closed. */
const mostResting = 8;

interface Resting {
  readonly session: LoggedIn;
  /** Of its password, which is kept nowhere: a login says nothing of it any more. */
  readonly mark: string;
  readonly leave: () => void;
}

/** Of this process, by where they lead. Whoever takes one asks the server again who it is. */
const resting = new Map<string, Resting[]>();

/** When each first rested. */
const restedAt = new WeakMap<LoggedIn, number>();

const markKey = randomBytes(32);
const markOf = (password: Secret<string>): string =>
  createHmac("sha256", markKey).update(password.reveal()).digest("base64");
const keyOf = (connection: ConnectionConfig): string => JSON.stringify(connection);

/** A login of the connection that somebody has just done with, by the same password; undefined: log in. */
export function takeResting(connection: ConnectionConfig, password: Secret<string>): LoggedIn | undefined {
  const mark = markOf(password);
  const found = resting.get(keyOf(connection))?.findLast((one) => one.mark === mark);
  found?.leave();
  return found?.session;
}

/** Lets a login rest for whoever needs one next, instead of making another; it is closed when nobody does. */
export function rest(connection: ConnectionConfig, password: Secret<string>, session: LoggedIn): void {
  const key = keyOf(connection);
  const beside = resting.get(key) ?? [];
  const now = performance.now();
  const first = restedAt.get(session) ?? now;
  if (beside.length >= mostResting || now - first > oldestMs) return void session.close();
  restedAt.set(session, first);
  const leave = (): void => {
    clearTimeout(timer);
    session.client.off("end", leave);
    beside.splice(beside.indexOf(one), 1);
    if (beside.length === 0) resting.delete(key);
  };
  const timer = setTimeout(() => {
    leave();
    void session.close();
  }, restMs).unref();
  const one = { session, mark: markOf(password), leave };
  session.client.once("end", leave);
  session.follow(undefined);
  beside.push(one);
  resting.set(key, beside);
}
