/** From two states of the phone to what a page around it is told. Pure. */
import type { LampState } from "../around.ts";
import type { EndKind } from "../call-end.ts";
import { callsOf } from "../lines.ts";
import { type Call, callStateOf, type PhoneState } from "../state.ts";

/** What the page is told of a call. */
export interface CallDetail {
  readonly id: string;
  readonly direction: "outgoing" | "incoming";
  readonly number: string;
  readonly name: string | undefined;
}

/** A call as it stands. */
export interface CallSummary extends CallDetail {
  readonly state: ReturnType<typeof callStateOf>;
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
  | { readonly type: "end"; readonly detail: EndDetail }
  /** Anything about the calls changed. */
  | { readonly type: "calls"; readonly detail: { readonly calls: readonly CallSummary[] } }
  | {
      readonly type: "lamp";
      readonly detail: { readonly number: string; readonly state: LampState };
    };

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

/** The calls that have not ended, the one in the pane first. */
export function summariesOf(state: PhoneState): readonly CallSummary[] {
  return callsOf(state)
    .filter(isLive)
    .map((call) => ({ ...detailOf(call), state: callStateOf(call) }));
}

function lampEvents(before: PhoneState, now: PhoneState): readonly PhoneElementEvent[] {
  const old = new Map(before.around.lamps.map(({ number, state }) => [number, state]));
  return now.around.lamps
    .filter(({ number, state }) => old.get(number) !== state)
    .map((detail) => ({ type: "lamp", detail }));
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
  const summaries = summariesOf(now);
  if (JSON.stringify(summariesOf(before)) !== JSON.stringify(summaries)) {
    events.push({ type: "calls", detail: { calls: summaries } });
  }
  if (before.around.lamps !== now.around.lamps) events.push(...lampEvents(before, now));
  return events;
}
