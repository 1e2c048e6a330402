import type { EndReason } from "../../core/end-reason.ts";
import type { ExtraHeaders } from "../engine.ts";
import type { HeaderField } from "../message/headers.ts";
import { formatReason } from "../message/reason.ts";
import type { Flow } from "../transport/flow.ts";

/** The product's name in User-Agent and Server. */
export const PRODUCT = "Offhook";

/** The methods that we take inside and outside a dialog (RFC 3261 §20.5). */
export const ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY, PRACK, REFER";

/**
 * Option tags that we understand (RFC 3261 §20.37): RFC 5626, 3327 and 5627, all in REGISTER; then
 * those of calls: RFC 3262, 4028 and 6228.
 */
export const SUPPORTED: readonly string[] = ["outbound", "path", "gruu", "100rel", "timer", "199"];

/** Option tags that a request of a call may require (RFC 3261 §8.2.2.3). */
export const CALL_OPTIONS: readonly string[] = ["100rel", "timer"];

/** Supported of an INVITE or UPDATE of ours, or of a 2xx to one. */
export function supportedField(options: { readonly withReliable: boolean }): HeaderField {
  // RFC 3891 §6.2: a PBX asks for `replaces` before it transfers a call with it.
  const always = "timer, 199, replaces";
  return ["Supported", options.withReliable ? `100rel, ${always}` : always];
}

/** The bodies that we take (RFC 3261 §20.1). */
export const ACCEPT = "application/sdp";

/** Methods that exist (IANA, SIP parameters); any other one is not recognised: 501, not 405. */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  "ACK",
  "BYE",
  "CANCEL",
  "INFO",
  "INVITE",
  "MESSAGE",
  "NOTIFY",
  "OPTIONS",
  "PRACK",
  "PUBLISH",
  "REFER",
  "REGISTER",
  "SUBSCRIBE",
  "UPDATE",
]);

/** 405 for a method that exists, 501 for one that does not (RFC 3261 §21.4.6, §21.5.2). */
export function methodRefusal(method: string): 405 | 501 {
  return KNOWN_METHODS.has(method) ? 405 : 501;
}

/**
 * Our Contact on a flow: an opaque user at the address that the far end talks to.
 *
 * @param options.scheme of the Request-URI that it answers; default: the flow's
 * @param options.host a name of ours that the far end wants to see instead of the address
 */
export function contactField(
  flow: Flow,
  user: string,
  options: { readonly scheme?: string | undefined; readonly host?: string | undefined } = {},
): HeaderField {
  const { scheme = flow.scheme, host } = options;
  const at = host === undefined ? flow.sentBy : `${host}${portOf(flow.sentBy)}`;
  const who = user === "" ? at : `${user}@${at}`;
  // RFC 3261 §8.1.1.8: the Contact is a sips URI where the Request-URI is one.
  if (scheme === "sips") return ["Contact", `<sips:${who}>`];
  const isWebSocket = flow.transport === "WS" || flow.transport === "WSS";
  // RFC 7118 §5.2: the parameter is `ws` for both. UDP is the default and stays unsaid.
  const parameter = isWebSocket
    ? ";transport=ws"
    : flow.transport === "UDP"
      ? ""
      : `;transport=${flow.transport.toLowerCase()}`;
  return ["Contact", `<sip:${who}${parameter}>`];
}

/** `:5061` of `192.0.2.1:5061`; nothing where no port is said. */
function portOf(sentBy: string): string {
  return /:[0-9]+$/.exec(sentBy)?.[0] ?? "";
}

/** The Reason field of a request or response (RFC 3326), when there is a reason. */
export function reasonFields(reason: EndReason | undefined): readonly HeaderField[] {
  return reason === undefined ? [] : formatReason(reason).map((value) => ["Reason", value]);
}

/** The caller's own fields, without those that belong to the dialog or the transaction. */
export function safeExtras(extras: ExtraHeaders | undefined): readonly HeaderField[] {
  return (extras ?? []).filter(([name]) => !OWN_FIELDS.has(name.toLowerCase()));
}

const OWN_FIELDS: ReadonlySet<string> = new Set([
  "via",
  "from",
  "to",
  "call-id",
  "cseq",
  "contact",
  "route",
  "record-route",
  "content-length",
  "content-type",
]);
