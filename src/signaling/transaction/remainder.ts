import { ownCopy } from "../../core/own-copy.ts";
import { Headers } from "../message/headers.ts";
import type { HeaderField } from "../message/headers.ts";
import { SipRequest } from "../message/message.ts";

/**
 * A request without its body and with some of its header fields only, in memory of its own: for
 * transactions that are kept long after their work is done.
 */
export function remainderOf(request: SipRequest, names: readonly string[]): SipRequest {
  const fields: HeaderField[] = [];
  for (const name of names) {
    for (const value of request.headers.getAll(name)) fields.push([name, ownCopy(value)]);
  }
  return new SipRequest(request.method, ownCopy(request.requestUri), Headers.of(fields));
}
