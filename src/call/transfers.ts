import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { CallQuery, Decision } from "../dialplan/decision.ts";
import type { ExtraHeaders, IncomingRefer } from "../signaling/engine.ts";
import { formatReplaces, type Replaces } from "../signaling/message/replaces.ts";
import { buildSipUri } from "../signaling/message/uri.ts";
import { NORMAL_CLEARING } from "./cause.ts";
import { callRefused } from "./channels.ts";
import type { TransferTerms, TrunkTerms } from "./context.ts";
import type { DialogEnd } from "./dialog-end.ts";
import type { EndIndex } from "./end-index.ts";
import type { Leaving } from "./leaving.ts";
import type { RingingIndex } from "./pickup.ts";
import type { TransferNote } from "./record.ts";
import { passOn, referForPeer } from "./passed-transfer.ts";
import { partyOf, type RefusedReason } from "./refused.ts";
import { TransferReport } from "./transfer-report.ts";
import { TransferredCaller } from "./transferred-caller.ts";

/** The call whose end asks for a transfer. */
export interface TransferringCall {
  readonly id: string;
  /** Calls that were made one from another before this one. */
  readonly transferDepth: number;
  /** The other end of the call leaves it. @returns undefined when that cannot be now */
  leaveFrom(end: DialogEnd): Leaving | undefined;
  noteTransfer(transfer: TransferNote): void;
}

/** A transfer that may be. */
interface Transfer {
  readonly call: TransferringCall;
  readonly end: DialogEnd;
  readonly refer: IncomingRefer;
  readonly caller: Leaving;
  readonly callee?: Leaving;
  readonly decision: Decision;
  readonly to: string;
  /** A dialog of the transferor's PBX that we know nothing of. */
  readonly replaces?: Replaces;
}

/** What a call needs of the other calls. */
export interface CallSurroundings {
  readonly ends: EndIndex<DialogEnd>;
  readonly ringing: RingingIndex;
  onRefer(call: TransferringCall, end: DialogEnd, refer: IncomingRefer): void;
}

/** A call that a transfer makes. */
export interface TransferCall {
  readonly invite: TransferredCaller;
  readonly decision: Decision;
  readonly caller: Leaving;
  /** Somebody who is talking already; undefined: whoever the decision finds. */
  readonly callee: Leaving | undefined;
  readonly depth: number;
  readonly from: { readonly call: string; readonly by: TransferNote["by"] };
  /** What a trunk is told of it. */
  readonly headersFor: (trunkId: string) => ExtraHeaders;
}

export interface TransfersOptions {
  readonly ends: EndIndex<DialogEnd>;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The SIP domain of the web users. */
  readonly domain: string;
  trunk(id: string): TrunkTerms | undefined;
  /** Decides as if the end had dialled the number. */
  decide(query: Pick<CallQuery, "to"> & { readonly end: DialogEnd }): Decision;
  /**
   * Takes the call up.
   *
   * @param ready the id of the call, before it does anything
   * @returns the status of the refusal when there is no room for it
   */
  begin(call: TransferCall, ready: (id: string) => void): number | undefined;
}

/** Transfers of transfers; a PBX that sends every call back would go on for ever. */
const MAX_DEPTH = 10;
const SCHEMES: ReadonlySet<string> = new Set(["sip", "sips", "tel"]);
/** No dialplan decides between two that are talking. */
export const NOTHING_TO_DECIDE: Decision = {
  route: undefined,
  action: { kind: "reject", status: 500, reasonPhrase: undefined },
  trace: [],
};

/**
 * Carries out REFER (RFC 3515, RFC 5589), in the gateway: whoever asks for a transfer never learns
 * more than how it goes, and whoever is transferred never learns that it was asked for. The number
 * goes through the dialplan with the rights of the one who asks.
 *
 * A refusal is a 403, 488, 491 or 603: other statuses of a request within a call could end that call
 * (RFC 5057 §5.1).
 */
export class Transfers {
  readonly #options: TransfersOptions;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  onRefer(call: TransferringCall, end: DialogEnd, refer: IncomingRefer): void {
    const { referTo } = refer;
    if (referTo.method !== "INVITE") {
      refer.reject(603, { reasonPhrase: "Only calls are transferred" });
      return;
    }
    if (!this.#isOurs(refer, end) || referTo.user === "") {
      this.#refuse(end, refer, "foreign", 403);
      return;
    }
    if (call.transferDepth >= MAX_DEPTH) {
      this.#refuse(end, refer, "loop", 482);
      return;
    }
    if (referTo.replaces !== undefined) {
      this.#joinTwo(call, end, refer, referTo.replaces);
      return;
    }
    const decision = this.#options.decide({ to: referTo.user, end });
    const { action, refusal, route } = decision;
    if (action.kind === "reject" || refusal !== undefined) {
      const status = action.kind === "reject" ? action.status : 403;
      this.#refuse(end, refer, refusal, status, route);
      return;
    }
    const caller = call.leaveFrom(end);
    if (caller === undefined) {
      refer.reject(491);
      return;
    }
    this.#begin({ call, end, refer, caller, decision, to: referTo.user });
  }

  /** A transfer with consultation: the two that the same party talks to talk to each other. */
  #joinTwo(call: TransferringCall, end: DialogEnd, refer: IncomingRefer, replaces: Replaces): void {
    const { callId, toTag, fromTag, isEarlyOnly } = replaces;
    // RFC 3891 §6.1: the tags stand as whoever gets the INVITE has them, and that is us.
    const own = { callId, localTag: toTag, remoteTag: fromTag };
    const other = isEarlyOnly ? undefined : this.#options.ends.find(own);
    // Knowing the tags is not enough (RFC 3891 §8): both calls must be the transferor's.
    if (other === undefined && this.#dialAtPeer(call, end, refer, replaces)) return;
    if (other === undefined || other === end || !isSameParty(other, end)) {
      this.#refuse(end, refer, other === undefined ? undefined : "not-allowed", 481);
      return;
    }
    const caller = call.leaveFrom(end);
    const callee = caller === undefined ? undefined : other.leavePeer();
    if (caller === undefined || callee === undefined) {
      caller?.abandon({ sipStatus: 491 });
      refer.reject(491);
      return;
    }
    const to = callee.end.identity.shown.user;
    this.#begin({ call, end, refer, caller, callee, decision: NOTHING_TO_DECIDE, to });
  }

  /**
   * A PBX may have talked to the target within itself: the dialog in Replaces is then its own, and
   * goes back to it in the INVITE, when the dialplan sends the number to that very PBX.
   *
   * @returns false when it is not so
   */
  #dialAtPeer(
    call: TransferringCall,
    end: DialogEnd,
    refer: IncomingRefer,
    replaces: Replaces,
  ): boolean {
    const { party } = end.dialog;
    if (party.kind !== "trunk") return false;
    const to = refer.referTo.user;
    const decision = this.#options.decide({ to, end });
    const { action, refusal } = decision;
    const isThere = action.kind === "dial" && action.trunks[0] === party.trunkId;
    const caller = isThere && refusal === undefined ? call.leaveFrom(end) : undefined;
    if (caller === undefined) return false;
    this.#begin({ call, end, refer, caller, decision, to, replaces });
    return true;
  }

  #begin(transfer: Transfer): void {
    const { call, end, refer, caller, callee, decision, to } = transfer;
    const report = new TransferReport({
      refer,
      end,
      kind: callee === undefined ? "blind" : "attended",
      to,
      note: (note) => call.noteTransfer(note),
    });
    const target = callee === undefined ? { decision } : { callee };
    const passed = referForPeer(caller, target, (id) => this.#options.trunk(id));
    if (passed === undefined) {
      this.#carryOut(transfer, report);
      return;
    }
    report.begin(undefined);
    const isTold = this.#termsAt(caller)?.isReferredByTold === true;
    passOn(caller, passed, {
      referredBy: isTold ? this.#uriOf(end) : undefined,
      outcome: report,
      onOver: () => callee?.abandon(NORMAL_CLEARING),
      otherwise: () => this.#carryOut(transfer, report),
    });
  }

  /** Places the call that the transfer makes. */
  #carryOut(transfer: Transfer, report: TransferReport): void {
    const { call, end, refer, caller, callee, decision, to } = transfer;
    const invite = new TransferredCaller({
      leaving: caller,
      calledNumber: to,
      maxForwards: refer.request.maxForwards,
      outcome: report,
    });
    const from = { call: call.id, by: report.by };
    const depth = call.transferDepth + 1;
    const headersFor = (trunkId: string): ExtraHeaders => [
      ...(this.#options.trunk(trunkId)?.transfer?.isReferredByTold === true
        ? [["Referred-By", `<${this.#uriOf(end)}>`] as const]
        : []),
      ...replacesAt(trunkId, end, transfer.replaces),
    ];
    const refused = this.#options.begin(
      { invite, decision, caller, callee, depth, from, headersFor },
      (id) => report.begin(id),
    );
    if (refused === undefined) return;
    caller.abandon({ sipStatus: refused });
    callee?.abandon({ sipStatus: refused });
    report.onFailed(refused, undefined);
    this.#refuse(end, refer, "limit", refused);
  }

  #termsAt({ end: { dialog } }: Leaving): TransferTerms | undefined {
    const { party } = dialog;
    return party.kind === "trunk" ? this.#options.trunk(party.trunkId)?.transfer : undefined;
  }

  #uriOf({ identity }: DialogEnd): string {
    return buildSipUri({ user: identity.shown.user, host: this.#options.domain });
  }

  /** @param status what the INVITE would have got */
  #refuse(
    end: DialogEnd,
    refer: IncomingRefer,
    why: RefusedReason | undefined,
    status: number,
    route?: string,
  ): void {
    const { id, kind } = partyOf(end.dialog);
    const to = refer.referTo.user === "" ? refer.referTo.host : refer.referTo.user;
    if (why !== undefined) callRefused.publish({ reason: why, from: { kind, id }, to, route });
    this.#options.logger.info("a transfer was refused", { by: id, to, sip: status, why });
    refer.reject(403, { reason: { sipStatus: status } });
  }

  /** Whether the target is a number of this gateway: other domains are not ours to reach. */
  #isOurs({ referTo, request }: IncomingRefer, end: DialogEnd): boolean {
    const { scheme, host } = referTo;
    if (!SCHEMES.has(scheme)) return false;
    if (host === "" || host === this.#options.domain.toLowerCase()) return true;
    // As we are known to the one who asks; a trunk may name itself too: its numbers are dialled
    // here like any other number that it asks for.
    const known =
      end.dialog.party.kind === "trunk"
        ? [request.uri.host, request.to.sipUri.host, request.from.sipUri.host]
        : [request.uri.host];
    return known.includes(host);
  }
}

/** RFC 3891 §4: only for the PBX that knows the dialog. */
function replacesAt(
  trunkId: string,
  { dialog: { party } }: DialogEnd,
  replaces: Replaces | undefined,
): ExtraHeaders {
  if (replaces === undefined || party.kind !== "trunk" || party.trunkId !== trunkId) return [];
  return [
    ["Replaces", formatReplaces(replaces)],
    ["Require", "replaces"],
  ];
}

function isSameParty(one: DialogEnd, other: DialogEnd): boolean {
  const [a, b] = [partyOf(one.dialog), partyOf(other.dialog)];
  return a.kind === b.kind && a.id === b.id;
}
