export { rotateCredential } from "./rotate-credential.ts";
export { runCheck } from "./run-check.ts";
export { sweepDue } from "./sweep-due.ts";
