import type { HeaderField } from "../message/headers.ts";
import type { NameAddr } from "../message/name-addr.ts";
import { formatNameAddr } from "../message/name-addr.ts";
import { tryParseDigits } from "../message/syntax.ts";
import type { Gruus } from "./gruu.ts";
import type { StoredBinding } from "./location-store.ts";

/** One Contact of a REGISTER, read and checked. */
export interface RegisterContact {
  readonly uri: string;
  /** `+sip.instance` without brackets; undefined without one. */
  readonly instanceId: string | undefined;
  /** Only together with an instance, and only from a client that does RFC 5626. */
  readonly regId: number | undefined;
  /** As asked for; 0 removes the binding. */
  readonly expiresSeconds: number;
}

const MAX_INSTANCE_LENGTH = 128;
const MAX_URI_LENGTH = 1024;
const MAX_REG_ID = 0x7fff_ffff;
const MAX_EXPIRES = 0xffff_ffff;

/**
 * Reads one Contact of a REGISTER.
 *
 * @param headerExpires the Expires header field, when there is one
 * @param isOutbound the client supports RFC 5626: without that `reg-id` is ignored (§6)
 * @returns undefined when it cannot be taken: answer 400
 */
export function tryReadContact(
  contact: NameAddr,
  headerExpires: number | undefined,
  isOutbound: boolean,
  defaultSeconds: number,
): RegisterContact | undefined {
  const { scheme } = contact.sipUri;
  if (scheme !== "sip" && scheme !== "sips") return undefined;
  if (contact.uri.length > MAX_URI_LENGTH) return undefined;
  const instance = contact.params.get("+sip.instance");
  const instanceId = instance === undefined ? undefined : withoutBrackets(instance);
  if (instanceId === "" || (instanceId?.length ?? 0) > MAX_INSTANCE_LENGTH) return undefined;
  const regIdText = contact.params.get("reg-id");
  let regId: number | undefined;
  if (regIdText !== undefined && instanceId !== undefined && isOutbound) {
    regId = tryParseDigits(regIdText, MAX_REG_ID);
    if (regId === undefined || regId === 0) return undefined; // RFC 5626 §4.2.1: 1 to 2^31 - 1
  }
  const own = contact.params.get("expires");
  // RFC 3261 §10.3 step 6: the parameter, else the header field, else our own choice; a malformed
  // value counts as absent (§20.10, RFC 4475 §3.1.2.4).
  const ownSeconds = own === undefined ? undefined : tryParseDigits(own, MAX_EXPIRES);
  const expiresSeconds = ownSeconds ?? headerExpires ?? defaultSeconds;
  return { uri: contact.uri, instanceId, regId, expiresSeconds };
}

/** The `+sip.instance` that a Contact names, without quotes and brackets. */
export function instanceOf(contact: NameAddr | undefined): string | undefined {
  const instance = contact?.params.get("+sip.instance");
  return instance === undefined ? undefined : withoutBrackets(instance);
}

/**
 * A binding as the 200 to REGISTER lists it (RFC 3261 §10.3 step 8).
 *
 * @param gruus given when the client understands them (RFC 5627 §5.2)
 */
export function contactOf(
  binding: StoredBinding,
  nowMs: number,
  gruus: Gruus | undefined,
): HeaderField {
  const seconds = Math.max(0, Math.ceil((binding.expiresAtMs - nowMs) / 1000));
  const params = new Map<string, string>();
  if (binding.hasInstance) {
    params.set("+sip.instance", `<${binding.instanceId}>`);
    if (gruus !== undefined) {
      params.set("pub-gruu", gruus.publicOf(binding));
      params.set("temp-gruu", gruus.temporaryOf(binding, binding.callId));
    }
  }
  if (binding.regId !== undefined) params.set("reg-id", String(binding.regId));
  params.set("expires", String(seconds));
  return ["Contact", formatNameAddr({ uri: binding.contactUri, params })];
}

function withoutBrackets(text: string): string {
  return text.startsWith("<") && text.endsWith(">") ? text.slice(1, -1) : text;
}
