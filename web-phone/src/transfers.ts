/**
 * Handing a call on: at once, or after asking the target first; and what to do when the far end
 * wants us to call somebody. A call that could not be handed on comes back un-held.
 */
import type { OutgoingAudio } from "./agent/phone-agent.ts";
import { findCall } from "./lines.ts";
import { cleanNumber } from "./number.ts";
import type { PhoneDesk } from "./phone-desk.ts";
import { type Call, canConsult } from "./state.ts";

/** See the head of this file. */
export class Transfers<Audio extends OutgoingAudio> {
  readonly #desk: PhoneDesk<Audio>;

  constructor(desk: PhoneDesk<Audio>) {
    this.#desk = desk;
  }

  /** Opens the search for a target; what is typed goes there and not into the call. */
  open(): void {
    const call = this.#desk.state().call;
    if (call !== undefined) this.change("");
  }

  change(text: string): void {
    const call = this.#desk.state().call;
    if (call !== undefined) this.#desk.dispatch({ type: "transfer-picking", id: call.id, text });
  }

  /** Closes the search, or what was said of a transfer that failed. */
  close(): void {
    const call = this.#desk.state().call;
    if (call !== undefined) this.#desk.dispatch({ type: "transfer-closed", id: call.id });
  }

  /** Hands the call in the pane on without asking. */
  now(text: string = this.#picked()): void {
    const call = this.#desk.state().call;
    const number = cleanNumber(text);
    if (call === undefined || number === "") return;
    this.#start(call, number, (agent) => agent.transfer(call.id, number));
  }

  /** Calls the target while the call in the pane waits. */
  askFirst(text: string = this.#picked()): void {
    const call = this.#desk.state().call;
    const number = cleanNumber(text);
    if (call?.phase !== "connected" || number === "" || !canConsult(this.#desk.state())) return;
    if (call.transfer?.kind === "transferring" || call.transfer?.kind === "consulting") return;
    this.#desk.place(number, call.id);
  }

  /** The target agrees, or need not be waited for: the call that waits goes there. */
  complete(): void {
    const consultation = this.#desk.state().call;
    const waiting = this.#waitingFor(consultation);
    if (consultation === undefined || waiting === undefined) return;
    const target = consultation.name ?? consultation.number;
    if (consultation.phase === "connected") {
      this.#start(waiting, target, (agent) => agent.transferTo(waiting.id, consultation.id));
      this.#desk.dispatch({ type: "call-activated", id: waiting.id });
      return;
    }
    // Nobody has answered yet, so there is no dialog to replace: the target is called anew.
    this.#start(waiting, target, (agent) => {
      agent.hangUp(consultation.id);
      this.#desk.end(consultation.id, { kind: "cancelled", details: {} });
      agent.transfer(waiting.id, consultation.number);
    });
  }

  /** Connects the two calls of a conference, or any two, with each other and leaves. */
  connect(id: string, otherId: string): void {
    const call = findCall(this.#desk.state(), id);
    const other = findCall(this.#desk.state(), otherId);
    if (call === undefined || other?.phase !== "connected") return;
    const target = other.name ?? other.number;
    this.#start(call, target, (agent) => agent.transferTo(id, otherId));
  }

  /** The user calls whom the far end has named. */
  acceptReferral(id: string): void {
    const target = findCall(this.#desk.state(), id)?.referral;
    if (target === undefined) return;
    const newId = this.#desk.newId();
    this.#desk.dispatch({ type: "referral-changed", id, target: undefined });
    this.#desk.setHeld(id, true);
    this.#desk.dispatch({ type: "adding-toggled", isAdding: true });
    this.#desk.dispatch({
      type: "call-started",
      id: newId,
      number: target,
      at: this.#desk.now(),
    });
    const isWanted = (): boolean => findCall(this.#desk.state(), newId)?.phase === "preparing";
    if (!isWanted()) {
      this.#desk.agent()?.refuseReferral(id);
      return;
    }
    this.#desk.withMicrophone(newId, {
      isWanted,
      open: (audio) => {
        this.#desk.dispatch({ type: "invite-sent", id: newId });
        this.#desk.agent()?.acceptReferral(id, newId, audio);
      },
      failed: (problem) => {
        this.#desk.agent()?.refuseReferral(id);
        this.#desk.end(newId, { kind: problem, details: {} });
      },
    });
  }

  refuseReferral(id: string): void {
    if (findCall(this.#desk.state(), id)?.referral === undefined) return;
    this.#desk.dispatch({ type: "referral-changed", id, target: undefined });
    this.#desk.agent()?.refuseReferral(id);
  }

  /** The far end has reached the target: nothing is left for us to do. */
  onTransferred(id: string): void {
    const { agent, end } = this.#desk;
    const consultation = this.#consultationOf(id);
    for (const over of [consultation?.id, id]) {
      if (over === undefined) continue;
      agent()?.hangUp(over);
      end(over, { kind: "transferred", details: {} });
    }
  }

  /** The call is back, and says why it was not taken. */
  onFailed(id: string, status: number, reasonPhrase: string): void {
    this.#desk.dispatch({ type: "transfer-failed", id, status, reasonPhrase });
    if (findCall(this.#desk.state(), id)?.transfer?.kind !== "failed") return;
    const consultation = this.#consultationOf(id);
    if (consultation !== undefined) this.#desk.setHeld(consultation.id, true);
    this.#desk.setHeld(id, false);
    this.#desk.dispatch({ type: "call-activated", id });
  }

  #picked(): string {
    const transfer = this.#desk.state().call?.transfer;
    return transfer?.kind === "picking" ? transfer.text : "";
  }

  #waitingFor(consultation: Call | undefined): Call | undefined {
    const id = consultation?.consultsFor;
    return id === undefined ? undefined : findCall(this.#desk.state(), id);
  }

  #consultationOf(id: string): Call | undefined {
    const { call, others } = this.#desk.state();
    return [call, ...others].find(
      (one) => one !== undefined && one.consultsFor === id && one.phase !== "ended",
    );
  }

  #start(
    call: Call,
    target: string,
    ask: (agent: NonNullable<ReturnType<PhoneDesk<Audio>["agent"]>>) => void,
  ): void {
    const agent = this.#desk.agent();
    const isAsked = call.phase !== "connected" || call.transfer?.kind === "transferring";
    if (agent === undefined || isAsked) return;
    this.#desk.dispatch({ type: "transfer-started", id: call.id, target });
    ask(agent);
  }
}
