import type { Asked } from "./asked.ts";
import { sharedFault } from "./fault.ts";
import { keyOperations, type IamOperation } from "./iam-keys.ts";
import { userOperations } from "./iam-users.ts";
import { Query } from "./query.ts";
import type { Call } from "./call.ts";
import { stsOperations } from "./sts.ts";
import { xmlAnswer, type XmlService } from "./xml.ts";

const queryOperations: Readonly<Record<XmlService, Readonly<Record<string, IamOperation>>>> = {
  iam: { ...keyOperations, ...userOperations },
  sts: stsOperations,
};

/** Does what a call that has been let in asks for, and returns the body of the answer. */
export function perform({ service, protocol, action }: Asked, body: string, call: Call, requestId: string): string {
  const operation = service === "secretsmanager" ? undefined : queryOperations[service][action];
  if (service === "secretsmanager" || operation === undefined)
    throw sharedFault("unknownOperation", protocol, `Could not find operation ${action} for this version`);
  return xmlAnswer(service, action, operation(call, new Query(body)), requestId);
}
