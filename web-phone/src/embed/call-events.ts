/** From two states of the phone to what a page around it is told. Pure. */
import type { EndKind } from "../call-end.ts";
import { callsOf } from "../lines.ts";
import type { Call, PhoneState } from "../state.ts";

/** What the page is told of a call. */
export interface CallDetail {
  readonly id: string;
  readonly direction: "outgoing" | "incoming";
  readonly number: string;
  readonly name: string | undefined;
}

/** How a call ended. */
export interface EndDetail extends CallDetail {
  readonly kind: EndKind;
  /** The final SIP status, where there was one. */
  readonly status: number | undefined;
  /** 0 when nobody answered. */
  readonly durationMs: number;
}

/** Events of `<sip-phone>`, by their names. */
export type PhoneElementEvent =
  | { readonly type: "signed-in"; readonly detail: { readonly user: string } }
  | { readonly type: "signed-out"; readonly detail: { readonly user: string } }
  /** Calls can come and go; or no longer. */
  | { readonly type: "ready"; readonly detail: { readonly user: string } }
  | { readonly type: "unready"; readonly detail: { readonly reason: string } }
  | { readonly type: "call"; readonly detail: CallDetail }
  | { readonly type: "connected"; readonly detail: CallDetail }
  | { readonly type: "end"; readonly detail: EndDetail };

function userOf(state: PhoneState): string | undefined {
  return state.signIn.kind === "signed-in" ? state.signIn.userId : undefined;
}

function detailOf(call: Call): CallDetail {
  const { id, direction, number, name } = call;
  return { id, direction, number, name };
}

function endOf(state: PhoneState, call: Call): EndDetail | undefined {
  const record = state.recent.find(({ id }) => id === call.id);
  if (record === undefined) return undefined;
  const { kind, status, durationMs } = record;
  return { ...detailOf(call), kind, status, durationMs };
}

function isLive(call: Call | undefined): call is Call {
  return call !== undefined && call.phase !== "ended";
}

/** All that happened from one state to the next, in order. */
export function eventsBetween(before: PhoneState, now: PhoneState): readonly PhoneElementEvent[] {
  const events: PhoneElementEvent[] = [];
  const userBefore = userOf(before);
  const user = userOf(now);
  const wasReady = before.link.kind === "ready";
  const isReady = now.link.kind === "ready";
  const calls = callsOf(now);
  for (const call of callsOf(before).filter(isLive)) {
    if (calls.some((one) => one.id === call.id && isLive(one))) continue;
    const detail = endOf(now, call);
    if (detail !== undefined) events.push({ type: "end", detail });
  }
  if (wasReady && !isReady) events.push({ type: "unready", detail: { reason: now.link.kind } });
  if (userBefore !== undefined && userBefore !== user) {
    events.push({ type: "signed-out", detail: { user: userBefore } });
  }
  if (user !== undefined && userBefore !== user) {
    events.push({ type: "signed-in", detail: { user } });
  }
  if (!wasReady && isReady && user !== undefined) events.push({ type: "ready", detail: { user } });
  for (const call of calls.filter(isLive)) {
    const old = callsOf(before).find(({ id }) => id === call.id);
    if (old === undefined) events.push({ type: "call", detail: detailOf(call) });
    if (call.phase === "connected" && old?.phase !== "connected") {
      events.push({ type: "connected", detail: detailOf(call) });
    }
  }
  return events;
}
