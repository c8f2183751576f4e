/** What stands inside of an element. Undefined is left out; a list becomes its members. */
export type XmlContent =
  | string
  | number
  | boolean
  | Date
  | undefined
  | readonly XmlContent[]
  | { readonly [name: string]: XmlContent };

/** The namespace is also what tells a client's parser apart from another version's. */
const namespaces = {
  iam: "https://iam.amazonaws.com/doc/2010-05-08/",
  sts: "https://sts.amazonaws.com/doc/2011-06-15/",
} as const;

export type XmlService = keyof typeof namespaces;

export function xmlAnswer(service: XmlService, action: string, result: XmlContent, requestId: string): string {
  const inner = result === undefined ? "" : element(`${action}Result`, result);
  const body = `${inner}${element("ResponseMetadata", { RequestId: requestId })}`;
  return `<${action}Response xmlns="${namespaces[service]}">${body}</${action}Response>`;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/programming.html#query-errors */
export function xmlFault(
  service: XmlService,
  fault: { readonly code: string; readonly status: number; readonly message: string },
  requestId: string,
): string {
  const Type = fault.status < 500 ? "Sender" : "Receiver";
  const error = element("Error", { Type, Code: fault.code, Message: fault.message });
  return `<ErrorResponse xmlns="${namespaces[service]}">${error}${element("RequestId", requestId)}</ErrorResponse>`;
}

function element(name: string, content: XmlContent): string {
  return content === undefined ? "" : `<${name}>${inside(content)}</${name}>`;
}

function inside(content: Exclude<XmlContent, undefined>): string {
  if (content instanceof Date) return `${content.toISOString().slice(0, 19)}Z`;
  if (typeof content !== "object") return escaped(String(content));
  if (isList(content)) return content.map((each) => element("member", each)).join("");
  return Object.entries(content)
    .map(([name, each]) => element(name, each))
    .join("");
}

const isList = (content: object): content is readonly XmlContent[] => Array.isArray(content);

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (sign) => entities[sign] ?? "");
