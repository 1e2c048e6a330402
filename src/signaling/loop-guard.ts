import { hash, randomBytes } from "node:crypto";
import { randomToken } from "../core/ids.ts";
import type { IncomingInvite, Party } from "./engine.ts";
import type { HeaderField } from "./message/headers.ts";
import type { SipRequest } from "./message/message.ts";

/** What passes through this gateway. */
export type Passage = Pick<IncomingInvite, "party" | "request" | "calledNumber">;

/** Our own header field of calls toward trunks: `id=pass.pass, id2=pass`. */
export const HOPS_FIELD = "Offhook-Hops";

const ID_LENGTH = 12;
const PASS_LENGTH = 8;
/** Passes of one call through one gateway. */
const MAX_PASSES = 5;
const MAX_GATEWAYS = 8;
const MAX_ELEMENT_LENGTH = 128;
const DEFAULT_HOPS = 70;

/**
 * Finds calls that come back. A proxy does it with the branch of its Via (RFC 5393 §4.2); a call
 * behind a B2BUA has other Vias, so a leg toward a trunk carries what the call has passed here: the
 * number and where it came from, as a keyed hash that tells nobody else anything.
 *
 * A call may come back once on purpose, for a PBX decides about numbers too: it is a loop when it
 * comes from the same side for the same number again, or for the sixth time at all. Where the far
 * end drops the field, Max-Forwards still ends it.
 */
export class LoopGuard {
  readonly #id = randomToken(ID_LENGTH);
  readonly #key = randomBytes(32).toString("base64url");

  /** Whether this call has been here before in the same way (RFC 5393 §4.2: 482). */
  isLoop(passage: Passage): boolean {
    const passes = this.#passesOf(passage.request);
    if (passes.length === 0) return false;
    return passes.length >= MAX_PASSES || passes.includes(this.#passOf(passage));
  }

  /** What an INVITE that is sent because of this one carries. */
  fieldsOf(passage: Passage, target: "trunk" | "binding"): readonly HeaderField[] {
    const { request } = passage;
    // RFC 3261 §16.6 step 3; a B2BUA that began anew would make every loop endless.
    const hops = Math.min(request.maxForwards ?? DEFAULT_HOPS, DEFAULT_HOPS) - 1;
    const forwards: HeaderField = ["Max-Forwards", String(Math.max(0, hops))];
    if (target === "binding") return [forwards];
    const elements = elementsOf(request);
    const isOwn = (element: string): boolean => element.startsWith(`${this.#id}=`);
    const before = elements.find(isOwn);
    const pass = this.#passOf(passage);
    const own = before === undefined ? `${this.#id}=${pass}` : `${before}.${pass}`;
    const others = elements.filter((element) => !isOwn(element));
    return [forwards, [HOPS_FIELD, [own, ...others].slice(0, MAX_GATEWAYS).join(", ")]];
  }

  #passesOf(request: SipRequest): readonly string[] {
    const own = elementsOf(request).find((element) => element.startsWith(`${this.#id}=`));
    return own === undefined ? [] : own.slice(ID_LENGTH + 1).split(".");
  }

  /**
   * One hash instead of HMAC's two, and no objects for it: this is done for every call. What HMAC
   * adds is worth nothing here, for of the 256 bits only 48 leave the gateway.
   */
  #passOf({ party, calledNumber }: Passage): string {
    const passage = `${this.#key}\n${sideOf(party)}\n${calledNumber}`;
    return hash("sha256", passage, "base64url").slice(0, PASS_LENGTH);
  }
}

function sideOf(party: Party): string {
  return party.kind === "trunk" ? `trunk ${party.trunkId}` : `user ${party.userId}`;
}

/** The elements that could be ours or another gateway's; whatever else stands there is dropped. */
function elementsOf(request: SipRequest): readonly string[] {
  const elements = request.headers.list(HOPS_FIELD);
  if (elements.length === 0) return elements;
  return elements
    .slice(0, MAX_GATEWAYS)
    .filter((element) => element.length <= MAX_ELEMENT_LENGTH && ELEMENT.test(element));
}

const ELEMENT = /^[\w-]{1,16}=[\w.-]{1,110}$/;
