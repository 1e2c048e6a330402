import type { SocketAddress } from "../core/address.ts";
import type { DialplanSource } from "../dialplan/source.ts";

/**
 * The configuration as the rooms consume it: checked, with every default filled in, units in the
 * names. The file's own shape (kebab-case keys) is in schema.ts and docs/configuration.md.
 */
export interface Config {
  /** The file that it was read from; undefined: the built-in demo. */
  readonly file?: string;
  /** SIP domain of the web users. */
  readonly domain: string;
  readonly http: HttpConfig;
  readonly sip: SipConfig;
  readonly media: MediaConfig;
  /** By user id. */
  readonly users: ReadonlyMap<string, UserConfig>;
  /** By trunk id, in the order of the file. */
  readonly trunks: ReadonlyMap<string, TrunkConfig>;
  readonly recording: RecordingConfig;
  readonly dialplan: DialplanSource;
  readonly api: { readonly tokens: readonly ApiToken[] };
  readonly limits: LimitsConfig;
  /** Whether a change of the file, or of one that it includes, is taken over by itself. */
  readonly isWatched: boolean;
  /** Present when the built-in demo users are in use. */
  readonly demo?: DemoAccess;
  /** Lines for people: keys that are valid but whose feature is not built yet, and the like. */
  readonly warnings: readonly string[];
}

export interface HttpConfig {
  /** Port 0 lets the system choose. */
  readonly listen: SocketAddress;
  /** Absolute paths of PEM files; undefined: plain HTTP. */
  readonly tls?: { readonly certificatePath: string; readonly keyPath: string };
  /** Origins that may open /ws and call the API; undefined: the gateway's own. */
  readonly origins?: readonly string[];
  /** Addresses and ranges of proxies whose word on the client's address counts. */
  readonly trustedProxies: readonly string[];
  /** The header field that they write it to. */
  readonly clientAddress: "x-forwarded-for" | "forwarded";
}

export interface SipListen extends SocketAddress {
  readonly transport: "udp" | "tcp" | "tls";
}

/** RFC 4028; undefined where it is off. */
export interface SessionTimerConfig {
  readonly expiresSeconds: number;
  readonly minimumSeconds: number;
}

export interface SipConfig {
  readonly engine:
    | { readonly kind: "embedded" }
    | {
        readonly kind: "drachtio";
        /** In the order of preference; never empty. */
        readonly servers: readonly (SocketAddress & { readonly secret: string })[];
      };
  readonly listen: readonly SipListen[];
  /** `address` or `address:port` of name servers for trunks; undefined: the system's. */
  readonly dns?: readonly string[];
  /** Absolute paths of PEM files for `tls:` listeners. */
  readonly tls?: {
    readonly certificatePath: string;
    readonly keyPath: string;
    readonly caPath?: string;
    readonly verifyClient?: ClientVerification;
  };
}

/** Whether callers over TLS show a certificate: `optional` refuses a wrong one, `required` none. */
export type ClientVerification = "none" | "optional" | "required";

/** `narrow`: G.722 and G.711 end to end; `opus`: Opus at the browser, transcoded; `auto`: no transcoding when both sides share a codec. */
export type CodecPolicy = "auto" | "narrow" | "opus";

/** The ng socket of an rtpengine, with its share of new calls. */
export interface RtpengineSocket extends SocketAddress {
  readonly weight: number;
}

export interface MediaConfig {
  readonly rtpengine:
    | { readonly kind: "managed" }
    | { readonly kind: "external"; readonly sockets: readonly RtpengineSocket[] };
  /** How long an end of a call may send nothing before the call is dead. */
  readonly timeoutMs: number;
  /** Address for media, or `private!public`; always present when rtpengine is managed. */
  readonly address?: string;
  /** UDP ports for media, both ends included. */
  readonly ports: { readonly min: number; readonly max: number };
  readonly codecs: CodecPolicy;
  /** Music on hold: the built-in tune, none, or the absolute path of a WAV file. */
  readonly music:
    | { readonly kind: "default" | "off" }
    | { readonly kind: "file"; readonly path: string };
  readonly opus: OpusConfig;
  /** Differentiated services code point of media (RFC 2474); undefined: left alone. */
  readonly dscp?: number;
  /** More addresses for media, of the other family, say; only when rtpengine is managed. */
  readonly otherAddresses?: readonly string[];
  /** How browsers find the media server: RFC 8445, or its lite half. */
  readonly ice: "full" | "lite";
  /** Where rtpengines of others report digits to (their `dtmf-log-dest`); undefined: nowhere. */
  readonly digitEvents?: SocketAddress;
  /** Whether calls may have video, passed through as it is. */
  readonly video: boolean;
  readonly turn?: { readonly urls: readonly string[]; readonly secret: string };
}

/** What we ask for of senders of Opus (RFC 7587 §6.1). */
export interface OpusConfig {
  /** Forward error correction in the band. */
  readonly fec: boolean;
  /** Discontinuous transmission: nothing is sent in silence. */
  readonly dtx: boolean;
  /** Milliseconds in a packet. */
  readonly ptimeMs: number;
  /** Bits a second on average; undefined: the sender's choice. */
  readonly bitrate?: number;
}

export interface RecordingConfig {
  /** Absolute. */
  readonly directory: string;
  /** What both parties hear as a recording begins. */
  readonly consent:
    | { readonly kind: "tone" | "none" }
    | { readonly kind: "file"; readonly path: string };
}

export interface UserConfig {
  readonly id: string;
  /** The id when the file gives none. */
  readonly name: string;
  readonly password: string;
  /** E.164, each `+` and digits. */
  readonly numbers: readonly string[];
  readonly groups: readonly string[];
  /** ISO 3166 code, upper case: where the user dials from; undefined: dialplan.country. */
  readonly country?: string;
  readonly areaCode?: string;
}

export type DtmfMode = "rfc4733" | "info" | "inband";
export type SrtpMode = "off" | "sdes" | "dtls" | "optional";
/** Whether a NAT stands before the peer's media; `auto`: as its SDP and its signaling say. */
export type NatMode = "auto" | "yes" | "no";

export interface TrunkConfig {
  readonly id: string;
  /** SIP URI. */
  readonly peer: string;
  /** SIP URI: where what is for the peer is sent instead. */
  readonly outboundProxy?: string;
  /** Answers the peer's 401 and 407. */
  readonly auth?: { readonly username: string; readonly password: string };
  readonly register?: {
    readonly username: string;
    readonly password: string;
    readonly expiresSeconds: number;
  };
  /** Addresses and CIDR ranges that calls may come from; undefined: where `peer` resolves to. */
  readonly accept?: readonly string[];
  /** Encoding names as SDP writes them, in order of preference; undefined: by media.codecs. */
  readonly codecs?: readonly string[];
  /** How codecs are chosen; undefined: by the route, else by media.codecs. */
  readonly codecPolicy?: CodecPolicy;
  readonly dtmf: DtmfMode;
  /** How digits go when `dtmf` is rfc4733 and the peer answers without telephone-event. */
  readonly dtmfFallback: "info" | "inband";
  readonly srtp: SrtpMode;
  readonly nat: NatMode;
  /** Whether calls with the peer may have video, when `media.video` allows any. */
  readonly video: boolean;
  /** The family of the addresses that the peer gets for media; undefined: rtpengine's choice. */
  readonly addressFamily?: "ipv4" | "ipv6";
  /** Calls at once in both directions together; undefined: no own limit. */
  readonly maxCalls?: number;
  /** Interval of OPTIONS; undefined: none. */
  readonly pingMs?: number;
  /** OPTIONS without an answer until the trunk is down. */
  readonly pingMisses: number;
  /** Answered ones until it is up again. */
  readonly pingHits: number;
  /** How long a server of the peer may say nothing before the next one is called. */
  readonly failoverAfterMs: number;
  /** How TLS connections to the peer are made; undefined: as `sip.tls` and the peer's URI say. */
  readonly tls?: TrunkTlsConfig;
  /** Browsers' REGISTER passes through to this PBX, which owns the users. */
  readonly registrar: boolean;
  /** May take over the dialogs of everybody with Replaces, not only its own. */
  readonly mayReplaceAny: boolean;
  /** Who is shown to the peer, and what it is believed. */
  readonly identity: TrunkIdentityConfig;
  /** Header fields that cross. */
  readonly headers: HeaderRulesConfig;
  /** How they pass, with `registrar`. */
  readonly passThrough?: {
    /** REGISTERs a second toward the PBX. */
    readonly registersPerSecond: number;
    /** What leads the PBX's calls back to a browser: a Contact of ours, or a Path (RFC 3327). */
    readonly contact: "gateway" | "path";
    /** A browser registers again after at most this long. */
    readonly maxExpiresSeconds: number;
  };
  readonly transfer: TrunkTransferConfig;
  /** What calls with the peer agree to beside themselves. */
  readonly terms: {
    /** RFC 3262. */
    readonly reliable: "off" | "supported" | "required";
    readonly session: SessionTimerConfig | undefined;
    /** The host of Contact; undefined: our address. */
    readonly contactHost?: string;
  };
  /** The profile that was chosen, and those of its keys that are in force. */
  readonly profile?: { readonly name: string; readonly applied: readonly string[] };
}

/** How the peer and we tell each other who calls. */
export interface TrunkIdentityConfig {
  /** The peer is believed about its callers, and told who withholds the number (RFC 3325 §3). */
  readonly isTrusted: boolean;
  /** Where the caller stands beside From. */
  readonly header: "from" | "pai" | "ppi" | "rpid";
  /** How numbers are written. */
  readonly numbers: NumberStyle;
  /** The host of From and its like; undefined: ours. */
  readonly fromHost?: string;
  /** The user of From; undefined: the caller's number. */
  readonly fromUser?: string;
  /** `user=phone` beside telephone numbers. */
  readonly isPhone: boolean;
  /** How forwards are told. */
  readonly diversion: "off" | "diversion" | "history-info" | "both";
}

/** How calls with the peer are transferred. */
export interface TrunkTransferConfig {
  /** The peer is asked to transfer its own parties to its own numbers. */
  readonly isPassedOn: boolean;
  /** The peer learns who has transferred a call to it. */
  readonly isReferredByTold: boolean;
  /** The host of `peer`. */
  readonly peerHost: string;
}

/** `as-is`: as the dialplan has it. */
export type NumberStyle = "as-is" | "e164" | "e164-without-plus" | "national";

/** Header fields that cross between the other side of a call and the trunk; names in lower case. */
export interface HeaderRulesConfig {
  readonly toTrunk: readonly string[];
  readonly fromTrunk: readonly string[];
}

export interface TrunkTlsConfig {
  /** What the peer's certificate must name; undefined: the host of the peer's URI. */
  readonly name?: string;
  /** False takes any certificate. */
  readonly verify: boolean;
  /** Absolute paths of PEM files; undefined: those of `sip.tls`. */
  readonly files?: {
    readonly caPath?: string;
    readonly certificatePath?: string;
    readonly keyPath?: string;
  };
}

export type ApiRole = "viewer" | "operator" | "admin";

export interface ApiToken {
  readonly name: string;
  readonly token: string;
  readonly role: ApiRole;
}

export interface LimitsConfig {
  /** Calls at once in the whole gateway. */
  readonly maxCalls: number;
  /** Calls at once of one user. */
  readonly maxCallsPerUser: number;
  /** New calls a second in the whole gateway. */
  readonly maxCallsPerSecond: number;
  /** Live SIP transactions of each side. */
  readonly maxTransactions: number;
  /** Contacts of one user. */
  readonly maxContactsPerUser: number;
  /** SIP connections over WebSocket, TCP and TLS, each. */
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  /** WebSocket upgrades that are completed in a second. */
  readonly maxConnectionsPerSecond: number;
  /** Until the first message must have come on a connection. */
  readonly firstMessageMs: number;
  readonly message: {
    readonly messageOctets: number;
    readonly headerLines: number;
    readonly headerOctets: number;
    readonly vias: number;
    readonly requestUriOctets: number;
  };
  readonly maxDatagramOctets: number;
  readonly sdp: { readonly media: number; readonly candidates: number };
  /** Failed sign-ins of one address or account. */
  readonly signIns: {
    readonly maxFailures: number;
    readonly windowMs: number;
    readonly blockMs: number;
  };
  /** SIP requests of one address. */
  readonly requests: {
    readonly perSecond: number;
    readonly burst: number;
    readonly banAfter: number;
    readonly banMs: number;
    readonly strangersPerSecond: number;
    readonly perUserConnection: number;
  };
  /** Undefined: never overloaded. */
  readonly overload?: { readonly delayMs: number };
  /** Addresses and ranges that no limit by address holds for. */
  readonly exempt: readonly string[];
  /** Parts of the User-Agent of programs that get no answer, in lower case. */
  readonly scanners: readonly string[];
}

/** The demo's secrets, for the lines that the start prints. */
export interface DemoAccess {
  /** Where they are kept; undefined: made for this process alone (as `check` does). */
  readonly file?: string;
  readonly users: readonly {
    readonly id: string;
    readonly name: string;
    readonly password: string;
  }[];
  /** The admin token, when the demo made one. */
  readonly adminToken?: string;
}
