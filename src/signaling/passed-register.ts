import { PRODUCT } from "./dialog/our-headers.ts";
import { buildRequest } from "./message/build.ts";
import type { HeaderField } from "./message/headers.ts";
import type { SipRequest } from "./message/message.ts";
import { formatNameAddr } from "./message/name-addr.ts";
import { buildSipUri, SipUri } from "./message/uri.ts";
import { instanceOf } from "./registrar/contact.ts";
import type { Flow } from "./transport/flow.ts";

/** What stays the same in the REGISTERs that go to the PBX for one user on one connection. */
export interface PassedRegister {
  /** Of the Contact or Path that leads back. */
  readonly token: string;
  // Some registrars tie a nonce to these two.
  readonly callId: string;
  readonly fromTag: string;
  cseqNumber: number;
}

/** The parameter that tells our contacts and Paths at a PBX from everything else. */
export const OWN_PARAMETER = "ow";

/**
 * The browser's REGISTER as the PBX gets it: the Request-URI and the credentials are the browser's,
 * everything else is ours.
 */
export function buildPassedRegister(
  request: SipRequest,
  register: PassedRegister,
  options: {
    readonly flow: Flow;
    readonly way: "gateway" | "path";
    readonly aor: string;
    readonly askedSeconds: number;
    readonly credentials: readonly HeaderField[];
  },
): SipRequest {
  const { aor, askedSeconds, credentials } = options;
  return build(register, {
    requestUri: request.requestUri,
    aor,
    fields: [...contactFields(request, register.token, askedSeconds, options), ...credentials],
  });
}

/** A REGISTER without a Contact: it asks, and changes nothing (RFC 3261 §10.2.3). */
export function buildProbeRegister(
  register: PassedRegister,
  aor: { readonly uri: string; readonly registrarUri: string },
  credentials: readonly HeaderField[],
): SipRequest {
  register.cseqNumber += 1;
  return build(register, {
    requestUri: aor.registrarUri,
    aor: aor.uri,
    fields: credentials,
  });
}

/** The instance that a REGISTER names; undefined without one. */
export function instanceOfRegister({ contacts }: SipRequest): string | undefined {
  return contacts === "*" ? undefined : instanceOf(contacts[0]);
}

function build(
  { callId, fromTag, cseqNumber }: PassedRegister,
  parts: {
    readonly requestUri: string;
    readonly aor: string;
    readonly fields: readonly HeaderField[];
  },
): SipRequest {
  const { requestUri, aor, fields } = parts;
  return buildRequest({
    method: "REGISTER",
    requestUri,
    headers: [
      ["Max-Forwards", "70"],
      ["From", formatNameAddr({ uri: aor, params: new Map([["tag", fromTag]]) })],
      ["To", formatNameAddr({ uri: aor })],
      ["Call-ID", callId],
      ["CSeq", `${cseqNumber} REGISTER`],
      ...fields,
      ["User-Agent", PRODUCT],
    ],
  });
}

function contactFields(
  request: SipRequest,
  token: string,
  askedSeconds: number,
  { flow, way }: { readonly flow: Flow; readonly way: "gateway" | "path" },
): readonly HeaderField[] {
  const { contacts } = request;
  if (contacts === "*") {
    return [
      ["Contact", "*"],
      ["Expires", "0"],
    ];
  }
  const [contact] = contacts;
  if (contact === undefined) return [];
  const expires: HeaderField = ["Expires", String(askedSeconds)];
  const own = ownUri(flow, token, way === "path" ? [["lr", undefined]] : []);
  if (way === "gateway") return [["Contact", `<${own}>`], expires];
  // RFC 5626 §5.1: `ob` says that the flow is known here; RFC 3327 §5.2 for the rest.
  const params = new Map<string, string>();
  for (const name of ["+sip.instance", "reg-id"]) {
    const value = contact.params.get(name);
    if (value !== undefined) params.set(name, value);
  }
  return [
    ["Contact", formatNameAddr({ uri: contact.uri, params })],
    expires,
    ["Path", `<${own};ob>`],
    ["Supported", params.has("reg-id") ? "path, outbound" : "path"],
  ];
}

function ownUri(
  flow: Flow,
  token: string,
  more: readonly (readonly [string, string | undefined])[],
): string {
  const { host, port } = SipUri.parse(`sip:${flow.sentBy}`);
  const isSips = flow.scheme === "sips";
  const transport: readonly (readonly [string, string])[] =
    isSips || flow.transport === "UDP" ? [] : [["transport", flow.transport.toLowerCase()]];
  return buildSipUri({
    scheme: isSips ? "sips" : "sip",
    user: token,
    host,
    port,
    params: [...transport, [OWN_PARAMETER, undefined], ...more],
  });
}
