import { syntaxError } from "./errors.ts";
import {
  formatParams,
  isIpAddress,
  parseHostPort,
  parseParams,
  skipBlanks,
  splitList,
  stripBrackets,
  tokenEnd,
  tryParseDigits,
} from "./syntax.ts";
import type { Params } from "./syntax.ts";

/** The longest branch, in octets. */
const MAX_BRANCH_OCTETS = 512;

/** One element of the Via header field (RFC 3261 §20.42, RFC 3581). */
export class Via {
  /** Protocol name and version, usually `SIP/2.0`. */
  readonly protocol: string;
  /** In upper case: `UDP`, `TCP`, `TLS`, `WS`, `WSS` or another. */
  readonly transport: string;
  /** Of sent-by, as written; an IPv6 address in brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
  readonly #text: string;

  private constructor(
    text: string,
    protocol: string,
    transport: string,
    host: string,
    port: number | undefined,
    params: Params,
  ) {
    this.#text = text;
    this.protocol = protocol;
    this.transport = transport;
    this.host = host;
    this.port = port;
    this.params = params;
  }

  /** Reads one element. @throws SipParseError */
  static parse(text: string): Via {
    let index: number;
    let protocol: string;
    if (text.startsWith("SIP/2.0/")) {
      protocol = "SIP/2.0";
      index = 8;
    } else {
      const nameEnd = requireToken(text, skipBlanks(text, 0));
      const version = requireSlash(text, nameEnd);
      const versionEnd = requireToken(text, version);
      protocol =
        `${text.slice(skipBlanks(text, 0), nameEnd)}/${text.slice(version, versionEnd)}`.toUpperCase();
      index = requireSlash(text, versionEnd);
    }
    const transportEnd = requireToken(text, index);
    const transport = text.slice(index, transportEnd).toUpperCase();
    index = skipBlanks(text, transportEnd);
    if (index === transportEnd) throw syntaxError("The Via has no space after the transport");
    const { host, port, end } = parseHostPort(text, index, true);
    const params = parseParams(text, end);
    checkBranch(params);
    return new Via(text, protocol, transport, host, port, params);
  }

  /** Reads a comma list. @throws SipParseError, also for an empty element */
  static parseList(text: string): readonly Via[] {
    if (!text.includes(",")) return [Via.parse(text)];
    return splitList(text, true).map((element) => Via.parse(element));
  }

  get branch(): string | undefined {
    return this.params.get("branch");
  }

  /**
   * An address without brackets (RFC 3261 §18.2.1; RFC 5118 §4.5 sends both forms); undefined when
   * it is none.
   */
  get received(): string | undefined {
    const received = this.params.get("received");
    return received !== undefined && isIpAddress(received) ? stripBrackets(received) : undefined;
  }

  /** `true` when the parameter asks for the port, a number when it gives it (RFC 3581 §3). */
  get rport(): number | true | undefined {
    if (!this.params.has("rport")) return undefined;
    const text = this.params.get("rport");
    return text === undefined || text === "" ? true : tryParseDigits(text, 65535);
  }

  /** The same with `received` and `rport` set (RFC 3261 §18.2.1, RFC 3581 §4). */
  withParams(set: { readonly received?: string; readonly rport?: number | true }): Via {
    const params = new Map(this.params);
    if (set.received !== undefined) params.set("received", stripBrackets(set.received));
    if (set.rport !== undefined)
      params.set("rport", set.rport === true ? undefined : `${set.rport}`);
    const port = this.port === undefined ? "" : `:${this.port}`;
    const text = `${this.protocol}/${this.transport} ${this.host}${port}${formatParams(params)}`;
    return new Via(text, this.protocol, this.transport, this.host, this.port, params);
  }

  /** As it was written. */
  toString(): string {
    return this.#text;
  }
}

function checkBranch(params: Params): void {
  const branch = params.get("branch");
  if (params.has("branch") && (branch === undefined || branch === "")) {
    throw syntaxError("The Via's branch is empty");
  }
  if (branch !== undefined && branch.length > MAX_BRANCH_OCTETS) {
    throw syntaxError("The Via's branch is too long");
  }
}

function requireToken(text: string, start: number): number {
  const end = tokenEnd(text, start);
  if (end === start) throw syntaxError("The Via's protocol is malformed");
  return end;
}

function requireSlash(text: string, start: number): number {
  const slash = skipBlanks(text, start);
  if (text.charCodeAt(slash) !== 0x2f) throw syntaxError("The Via's protocol is malformed");
  return skipBlanks(text, slash + 1);
}
