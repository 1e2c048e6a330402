import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { CallRecord, CallView } from "../call/record.ts";
import type { MediaNodeView } from "../media/session.ts";
import type { SettingChange } from "../dialplan/decision.ts";
import type { ComparedPlans } from "../dialplan/diff.ts";
import type { PlanVersionView } from "../dialplan/plan-version.ts";
import type { SimulationOutcome, SimulationQuery } from "../dialplan/simulate.ts";
import type { UserSettings } from "../dialplan/user-settings.ts";
import type { Binding } from "../signaling/engine.ts";
import type { RegistrationState } from "../signaling/trunk/channels.ts";

/** What the HTTP server shows and does of the gateway. gateway.ts implements it. */
export interface GatewayView {
  /** Whether calls can be taken now; else why not, each reason a sentence for an operator. */
  readiness(): Readiness;
  /** Live calls. */
  calls(): Iterable<CallView>;
  call(id: string): CallView | undefined;
  /** Hangs a call up. @returns false when there is no such call */
  hangUp(id: string): boolean;
  /**
   * Begins or ends the recording of a call.
   * @returns undefined: no such call; false: it is in no state for that
   */
  record(id: string, action: "start" | "stop"): boolean | undefined;
  /** Live registrations of web users. */
  registrations(): Iterable<Binding>;
  trunks(): Iterable<TrunkView>;
  /** Addresses that are not heard now. */
  bans(): Iterable<BanView>;
  /** Lets an address in again. @returns false when it was not banned */
  liftBan(address: string): boolean;
  mediaNodes(): Iterable<MediaNodeView>;
  /** Drains an rtpengine, or takes it back. @returns undefined when there is none of that name */
  drainMediaNode(
    name: string,
    options: { readonly drain: boolean; readonly move: boolean },
  ): MediaNodeView | undefined;
  /** Finished calls. */
  records(): RecordLog;
  /** Decides a call without placing it. */
  simulate(query: SimulationQuery): SimulationOutcome;
  readonly plans: PlanControl;
  readonly users: UserControl;
}

/** A user of the configuration with what it has set; no secret of it. */
export interface UserView {
  readonly id: string;
  readonly name: string;
  /** Undefined: nothing. */
  readonly settings: UserSettings | undefined;
}

/** The users of the configuration, and what they have set. */
export interface UserControl {
  all(): Iterable<UserView>;
  find(id: string): UserView | undefined;
  /** What users may set themselves, as the star codes of the dialplan say. */
  settable(): readonly SettingChange["setting"][];
  /** Whether a user may have its calls forwarded to a number. */
  mayForward(id: string, number: string): boolean;
  /** Changes what a user has set. @returns false when it could not be written */
  change(id: string, change: (now: UserSettings) => UserSettings): Promise<boolean>;
}

/** Asks whoever owns a user that is none of ours. */
export interface PasswordCheck {
  /**
   * `unknown`: it does not tell; the phone will find out by registering.
   *
   * @returns undefined when nobody owns the user
   */
  check(
    userId: string,
    password: string,
  ): Promise<"right" | "wrong" | "unknown" | "unavailable"> | undefined;
}

/** Changes of the dialplan in force. */
export interface PlanControl {
  /** Reads the configuration again. @param by the name of the token */
  reload(by: string): PlanChange;
  /** What a plan would change; undefined: that of the file as it is now. Changes nothing. */
  diff(dialplan: unknown): PlanComparison;
  /** The plans that were in force, newest first. */
  versions(): readonly PlanVersionView[];
  /** Puts an earlier plan in force; undefined when it is not kept. @param by the name of the token */
  rollBack(version: number, by: string): PlanChange | undefined;
}

/** Two plans, call by call; or why the new one cannot be. */
export type PlanComparison =
  | ({ readonly ok: true } & ComparedPlans)
  | { readonly ok: false; readonly problems: readonly string[] };

/** A change that was made, or refused as a whole. */
export type PlanChange =
  | ({
      readonly ok: true;
      readonly version: PlanVersionView;
      /** Sections whose changes count from the next start on. */
      readonly needRestart: readonly string[];
    } & ComparedPlans)
  | { readonly ok: false; readonly problems: readonly string[] };

export interface Readiness {
  readonly ready: boolean;
  /** Empty when ready. */
  readonly reasons: readonly string[];
}

/** An address that is not heard. */
export interface BanView {
  /** An IPv4 address, or the first address of an IPv6 /64. */
  readonly address: string;
  readonly reason: "rate-limited" | "failed-sign-ins";
  /** What is refused: SIP over UDP, or connections (WebSocket, TCP, TLS). */
  readonly way: "datagram" | "connection";
  /** ISO 8601. */
  readonly since: string;
  readonly until: string;
  /** What came since and was dropped, where it is counted. */
  readonly dropped?: number;
}

/** A trunk as the API shows it; no secret of it. */
export interface TrunkView {
  readonly id: string;
  /** SIP URI of the peer. */
  readonly peer: string;
  /** `unknown` while nothing has measured it. */
  readonly state: "up" | "down" | "unknown";
  /** Why it is `down`. */
  readonly reason?: "timeout" | "transport" | "no server";
  /** ISO 8601, the last change of `state`; missing while it is `unknown`. */
  readonly since?: string;
  /** Its registration at the peer; missing without `register`. */
  readonly registration?: TrunkRegistrationView;
  /** The servers that the peer's URI leads to now (RFC 3263), best first. */
  readonly targets?: readonly TrunkTargetView[];
  readonly liveCalls: number;
  readonly maxCalls?: number;
  /** Its `profile`. */
  readonly profile?: string;
  /** The profile that its peer looks like, when it has none. */
  readonly proposedProfile?: string;
}

/** How a trunk's registration at its peer stands. Times in ISO 8601. */
export interface TrunkRegistrationView {
  readonly state: RegistrationState;
  /** Why it is `refused` or `waiting`. */
  readonly reason?: string;
  /** The SIP status that says so. */
  readonly status?: number;
  readonly since: string;
  /** Of `registered`: when the peer forgets us, unless it is refreshed before. */
  readonly expiresAt?: string;
  /** Of `refused` and `waiting`. */
  readonly retryAt?: string;
}

/** One server of a trunk's peer. */
export interface TrunkTargetView {
  /** `192.0.2.1:5060` */
  readonly address: string;
  readonly transport: "UDP" | "TCP" | "TLS";
  /** `down`: it did not answer, or answered 503, and is called last for a while. */
  readonly state: "up" | "down" | "unknown";
  /** Why it is `down`; `busy`: it answered 503. */
  readonly reason?: "timeout" | "transport" | "busy";
  /** ISO 8601; missing while `state` is `unknown`. */
  readonly since?: string;
}

/** Finished calls, newest first, page by page. */
export interface RecordLog {
  page(options: { readonly limit: number; readonly before?: number | undefined }): {
    readonly items: readonly CallRecord[];
    /** `before` of the next page; undefined on the last one. */
    readonly next: number | undefined;
  };
}

/** Takes over a request to upgrade to SIP over WebSocket (RFC 7118), its refusal included. */
export interface SipUpgrade {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** A user who may sign in to the web phone. */
export interface WebUser {
  readonly id: string;
  /** Shown to people. */
  readonly name: string;
  readonly password: string;
}

/** Who may sign in. */
export interface WebUsers {
  find(id: string): WebUser | undefined;
}

/** Counts failed sign-ins; one instance serves SIP and HTTP. */
export interface SignInLimit {
  /** How long a source or an account is refused. */
  readonly blockMs: number;
  isSourceBlocked(address: string): boolean;
  isAccountBlocked(user: string): boolean;
  /** A wrong password and an unknown user count alike. */
  failed(address: string, user: string): void;
  succeeded(user: string): void;
}

/** Makes short-lived credentials: SessionCredentials. */
export interface CredentialIssuer {
  issue(userId: string): {
    readonly username: string;
    readonly password: string;
    /** For the user's own part of the API. */
    readonly token: string;
    /** Unix milliseconds. */
    readonly expiresAtMs: number;
  };
  /** @returns whose token it is, while its time lasts */
  userOf(token: string): string | undefined;
}
