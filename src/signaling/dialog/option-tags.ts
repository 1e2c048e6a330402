import type { SipMessage } from "../message/message.ts";

/** Whether the sender lists this option tag in Supported or Require. */
export function supports(message: SipMessage, option: string): boolean {
  return lists(message, "Supported", option) || requires(message, option);
}

/** Whether the sender lists this option tag in Require. */
export function requires(message: SipMessage, option: string): boolean {
  return lists(message, "Require", option);
}

function lists({ headers }: SipMessage, name: string, option: string): boolean {
  return headers.list(name).some((tag) => tag.trim().toLowerCase() === option);
}
