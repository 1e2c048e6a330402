import { formatIsoTime } from "../core/iso-time.ts";
import { ownCopy } from "../core/own-copy.ts";
import type { Clock } from "../core/clock.ts";
import type { EndReason } from "../core/end-reason.ts";
import type { Logger } from "../core/logger.ts";
import type { Decision, TraceStep } from "../dialplan/decision.ts";
import type { MediaDirection } from "../media/direction.ts";
import type { MediaReport } from "../media/session.ts";
import type { Dialog, IncomingInvite, InviteTarget } from "../signaling/engine.ts";
import { octetsToText } from "../signaling/message/syntax.ts";
import type { Attempt } from "./attempt.ts";
import type { CallMediaFact } from "./channels.ts";
import type { CodecChoice } from "./codec-choice.ts";
import type {
  CallRecord,
  CallResult,
  CallView,
  DigitsView,
  HeaderView,
  LegView,
  MediaView,
  QualityView,
  RecordingView,
  TimelineEntry,
  TransferNote,
} from "./record.ts";

/** Entries that one call may keep: enough for an hour of holds, not for an attack. */
const MAX_TIMELINE = 200;
const MAX_TRANSFERS = 20;

/** How the timeline names what happens to the media. */
const MEDIA_EVENTS = {
  moved: "media moved",
  "move-failed": "media not moved",
  repaired: "media repaired",
  "timed-out": "media timed out",
} as const;

/**
 * What is told of a call: its legs, its times, its timeline. It decides nothing; the call writes
 * into it and everyone else reads the plain data that it gives out.
 */
export class Story {
  readonly #id: string;
  readonly #clock: Clock;
  readonly #from: CallView["from"];
  readonly #to: string;
  readonly #route: string | undefined;
  #codecs: CodecChoice;
  readonly #trace: readonly TraceStep[];
  readonly #omitted: number;
  readonly #startedWallMs: number;
  readonly #startedMs: number;
  readonly #legs = new Map<string, LegView>();
  readonly #timeline: TimelineEntry[] = [];
  readonly #held = new Set<string>();
  #state: CallView["state"] = "setup";
  #answeredMs: number | undefined;
  #endedMs: number | undefined;
  #end: CallRecord["end"] | undefined;
  #result: CallResult = "indeterminate";
  #media: MediaView | undefined;
  #recordings: () => readonly RecordingView[] = () => [];
  #transfers: readonly TransferNote[] = [];
  readonly #transferredFrom: CallView["transferredFrom"];

  constructor(options: {
    readonly id: string;
    readonly clock: Clock;
    readonly invite: IncomingInvite;
    readonly callerNumber: string;
    readonly decision: Decision;
    readonly codecs: CodecChoice;
    readonly transferredFrom: CallView["transferredFrom"];
  }) {
    const { party } = options.invite;
    this.#id = options.id;
    this.#clock = options.clock;
    this.#from = {
      kind: party.kind,
      id: party.kind === "user" ? ownCopy(party.userId) : party.trunkId,
      number: ownCopy(options.callerNumber),
    };
    // Records are kept by the thousand: none may keep the messages of its call.
    this.#to = ownCopy(options.invite.calledNumber);
    const { route, trace, omitted = 0 } = options.decision;
    this.#route = route;
    this.#codecs = options.codecs;
    this.#trace = trace;
    this.#omitted = omitted;
    this.#transferredFrom = options.transferredFrom;
    this.#startedWallMs = options.clock.wallMs();
    this.#startedMs = options.clock.monotonicMs();
    const agent = ownCopy(options.invite.request.headers.get("User-Agent"));
    this.#legs.set("caller", {
      tag: "caller",
      kind: this.#from.kind,
      id: this.#from.id,
      ...(party.kind === "user" ? { instanceId: party.instanceId } : {}),
      direction: "in",
      sipCallId: ownCopy(options.invite.callId),
      ...(agent === undefined ? {} : { remoteAgent: agent }),
      state: "trying",
    });
    this.note("invite", route);
  }

  /** Whether anyone was called at all. */
  get hasCallee(): boolean {
    return this.#legs.size > 1;
  }

  attemptStarted(attempt: Attempt): void {
    const { leg, target, crossing } = attempt;
    this.#legs.set(leg.tag, {
      tag: leg.tag,
      ...idOfTarget(target),
      direction: "out",
      ...(crossing.length === 0 ? {} : { headers: crossing.map(asText) }),
      state: "trying",
    });
    this.note("attempt", `${leg.tag} ${idOfTarget(target).id}`);
  }

  /** @returns whether this is news */
  attemptRang(attempt: Attempt, status: number): boolean {
    const leg = this.#legs.get(attempt.leg.tag);
    if (leg === undefined || leg.state !== "trying") return false;
    this.#legs.set(leg.tag, { ...leg, state: "ringing", ...callIdOf(attempt) });
    this.note("ringing", `${leg.tag} ${status}`);
    this.#state = "ringing";
    return true;
  }

  attemptAnswered(attempt: Attempt, dialog: Dialog): void {
    const leg = this.#legs.get(attempt.leg.tag);
    if (leg === undefined) return;
    for (const [tag, other] of this.#legs) {
      if (other.direction === "out" && tag !== leg.tag) {
        this.#legs.set(tag, { ...other, state: "ended" });
      }
    }
    const agent = ownCopy(dialog.remoteAgent);
    this.#legs.set(leg.tag, {
      ...leg,
      state: "answered",
      sipCallId: dialog.callId,
      ...(agent === undefined ? {} : { remoteAgent: agent }),
    });
  }

  /** Somebody who was talking in another call is to be the callee. */
  calleeTaken(tag: string, { party, callId, remoteAgent }: Dialog): void {
    const agent = ownCopy(remoteAgent);
    this.#legs.set(tag, {
      tag,
      ...(party.kind === "user"
        ? { kind: "user", id: party.userId, instanceId: party.instanceId }
        : { kind: "trunk", id: party.trunkId }),
      direction: "out",
      sipCallId: callId,
      ...(agent === undefined ? {} : { remoteAgent: agent }),
      state: "answered",
    });
  }

  /** A transfer begins (`pending`), or has come out. */
  transferNoted(transfer: TransferNote): void {
    const { kind, result, sipStatus, by } = transfer;
    const isUnderWay = this.#transfers.at(-1)?.result === "pending";
    const to = ownCopy(transfer.to);
    const others = isUnderWay ? this.#transfers.slice(0, -1) : this.#transfers;
    this.#transfers = [...others, { ...transfer, to }].slice(-MAX_TRANSFERS);
    if (result === "pending" && isUnderWay) return;
    if (result === "pending") this.note("transfer", `${kind} by ${by.tag} to ${to}`);
    else this.note(`transfer ${result}`, sipStatus === undefined ? undefined : String(sipStatus));
  }

  serviceChosen(kind: string): void {
    this.#legs.set("service", {
      tag: "service",
      kind: "service",
      id: kind,
      direction: "out",
      state: "answered",
    });
  }

  answered(): void {
    this.#answeredMs = this.#clock.monotonicMs();
    this.#state = "connected";
    const caller = this.#legs.get("caller");
    if (caller !== undefined) this.#legs.set("caller", { ...caller, state: "answered" });
    this.note("answered");
  }

  /** An end asked for another direction of its media: hold or resume. */
  directionChanged(tag: string, direction: MediaDirection): void {
    const isHeld = direction !== "sendrecv";
    if (isHeld === this.#held.has(tag)) return;
    if (isHeld) this.#held.add(tag);
    else this.#held.delete(tag);
    this.#state = this.#held.size > 0 ? "held" : "connected";
    this.note(isHeld ? "held" : "resumed", tag);
  }

  /** How the codecs of what is joined are chosen. */
  codecsChosen(codecs: CodecChoice): void {
    if (codecs.by === "phone" && this.#codecs.by !== "phone")
      this.note("opus", "asked by the phone");
    this.#codecs = codecs;
  }

  mediaReported(
    report: MediaReport,
    digits: readonly DigitsView[] = [],
    quality?: QualityView,
  ): void {
    this.#media = {
      policy: this.#codecs.policy,
      policyBy: this.#codecs.by,
      ...(report.dtmf === undefined ? {} : { dtmf: report.dtmf }),
      ...(digits.length === 0 ? {} : { digits }),
      ...(report.srtp === undefined ? {} : { srtp: report.srtp }),
      codecs: report.codecs,
      isTranscoded: report.isTranscoded,
      packetsFrom: report.packetsFrom,
      ...(quality === undefined ? {} : { quality }),
      ...(report.mos === undefined ? {} : { mos: report.mos }),
    };
  }

  mediaChanged(event: CallMediaFact["event"], detail: string): void {
    this.note(MEDIA_EVENTS[event], detail);
  }

  /** @param recordings gives them as they are when somebody looks */
  recordingsChanged(recordings: () => readonly RecordingView[]): void {
    this.#recordings = recordings;
  }

  ended(reason: EndReason, by: CallRecord["end"]["by"], result: CallResult): void {
    this.#endedMs = this.#clock.monotonicMs();
    this.#state = "ended";
    this.#end = {
      ...reason,
      ...(reason.text === undefined ? {} : { text: ownCopy(reason.text) }),
      by,
    };
    this.#result = result;
    for (const [tag, leg] of this.#legs) this.#legs.set(tag, { ...leg, state: "ended" });
    this.note("ended", `${reason.sipStatus} by ${by}`);
  }

  note(event: string, detail?: string): void {
    if (this.#timeline.length >= MAX_TIMELINE) return;
    const atMs = Math.round(this.#clock.monotonicMs() - this.#startedMs);
    this.#timeline.push(detail === undefined ? { atMs, event } : { atMs, event, detail });
  }

  view(): CallView {
    return { ...this.#common(), state: this.#state };
  }

  /** The final record; the call has ended. */
  record(): CallRecord {
    const endedMs = this.#endedMs ?? this.#clock.monotonicMs();
    const answeredMs = this.#answeredMs;
    return {
      ...this.#common(),
      endedAt: this.#iso(endedMs),
      durationMs: answeredMs === undefined ? 0 : Math.round(endedMs - answeredMs),
      setupMs: Math.round((answeredMs ?? endedMs) - this.#startedMs),
      result: this.#result,
      end: this.#end ?? { sipStatus: 500, by: "gateway" },
    };
  }

  #common(): Omit<CallView, "state"> {
    const recordings = this.#recordings();
    return {
      id: this.#id,
      from: this.#from,
      to: this.#to,
      ...(this.#route === undefined ? {} : { route: this.#route }),
      trace: this.#trace,
      ...(this.#omitted === 0 ? {} : { rulesOmitted: this.#omitted }),
      startedAt: this.#iso(this.#startedMs),
      ...(this.#answeredMs === undefined ? {} : { answeredAt: this.#iso(this.#answeredMs) }),
      legs: [...this.#legs.values()],
      ...(this.#transfers.length === 0 ? {} : { transfers: this.#transfers }),
      ...(this.#transferredFrom === undefined ? {} : { transferredFrom: this.#transferredFrom }),
      ...(this.#media === undefined ? {} : { media: this.#media }),
      ...(recordings.length === 0 ? {} : { recordings }),
      timeline: [...this.#timeline],
    };
  }

  /** Wall time of a monotonic instant, so that a jump of the clock bends no duration. */
  #iso(monotonicMs: number): string {
    return formatIsoTime(this.#startedWallMs + (monotonicMs - this.#startedMs));
  }
}

/** One line for a call that is over. */
export function logEnded(logger: Logger, record: CallRecord): void {
  logger.info("call ended", {
    call: record.id,
    from: record.from.id,
    to: record.to,
    route: record.route,
    result: record.result,
    sip: record.end.sipStatus,
    q850: record.end.q850,
    reason: record.end.text,
    by: record.end.by,
    setupMs: record.setupMs,
    durationMs: record.durationMs,
  });
}

function idOfTarget(target: InviteTarget): Pick<LegView, "kind" | "id" | "instanceId"> {
  switch (target.kind) {
    case "binding":
      return { kind: "user", id: target.binding.userId, instanceId: target.binding.instanceId };
    case "trunk":
      return { kind: "trunk", id: target.trunkId };
  }
}

/** A header field that crossed; its octets are UTF-8. */
function asText([name, value]: readonly [string, string]): HeaderView {
  return { name: ownCopy(name), value: ownCopy(octetsToText(value)) };
}

function callIdOf(attempt: Attempt): { readonly sipCallId?: string } {
  return attempt.invite === undefined ? {} : { sipCallId: attempt.invite.callId };
}
