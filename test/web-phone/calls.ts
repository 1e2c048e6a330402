import { newCall } from "../../web-phone/src/call.ts";
import { type Call, initialState, type PhoneState } from "../../web-phone/src/state.ts";

/** A phone that is signed in and registered, with nothing going on. */
export const ready: PhoneState = {
  ...initialState,
  signIn: { kind: "signed-in", userId: "1001", name: "Ann Lee" },
  link: { kind: "ready" },
};

/** An outgoing call to 1002 that is up, changed as asked. */
export function aCall(change: Partial<Call> = {}): Call {
  return {
    ...newCall("outgoing", "connected", { id: "c1", number: "1002", at: 1_000 }),
    answeredAt: 3_000,
    ...change,
  };
}

/** The ready phone with that call. */
export function inCall(change: Partial<Call> = {}): PhoneState {
  return { ...ready, call: aCall(change) };
}
