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
    id: "c1",
    direction: "outgoing",
    number: "1002",
    name: undefined,
    phase: "connected",
    startedAt: 1_000,
    answeredAt: 3_000,
    endedAt: undefined,
    end: undefined,
    isHeld: false,
    isHeldByPeer: false,
    isHoldPending: false,
    isMuted: false,
    isKeypadOpen: false,
    digits: "",
    media: "new",
    loss: undefined,
    isAskingForMicrophone: false,
    microphoneProblem: undefined,
    ...change,
  };
}

/** The ready phone with that call. */
export function inCall(change: Partial<Call> = {}): PhoneState {
  return { ...ready, call: aCall(change) };
}
