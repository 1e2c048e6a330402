/**
 * Every state of the phone with fixed data, for eyes and for tests: `gallery.html` lists them,
 * `gallery.html?state=incoming` shows one as the page.
 */
import { signal } from "@preact/signals";
import { render } from "preact";
import type { CallEnd, EndKind } from "./call-end.ts";
import { newCall } from "./call.ts";
import { tryParseLanguage, useLanguage } from "./i18n/languages.ts";
import { languageDirection, languageTag, setLanguage } from "./i18n/text.ts";
import { DEFAULT_PREFERENCES, type Theme } from "./preferences.ts";
import type { Message } from "./around.ts";
import type { Contact } from "./contacts/contacts.ts";
import { type DeviceLoss, NO_DEVICES } from "./devices.ts";
import { NO_OWN_CALLS, type OwnCalls, type OwnCallsState } from "./own-calls.ts";
import { mosOf, type QualityReading } from "./quality.ts";
import { type Check, initialShell, type Shell } from "./shell.ts";
import { NO_VIDEO } from "./video.ts";
import { type Call, initialState, type PhoneState, type RecentCall } from "./state.ts";
import type { PhoneActions } from "./ui/actions.ts";
import { preloadViews } from "./ui/late-views.ts";
import { PhoneView } from "./ui/PhoneView.tsx";

const NOW = Date.parse("2026-11-20T10:30:00Z");

const actions: PhoneActions = {
  signIn: () => Promise.resolve(),
  signOut: () => undefined,
  reconnectNow: () => undefined,
  changeDraft: () => undefined,
  dial: () => undefined,
  redial: () => undefined,
  press: () => undefined,
  answer: () => undefined,
  end: () => undefined,
  toggleMute: () => undefined,
  toggleHold: () => undefined,
  toggleKeypad: () => undefined,
  dialVideo: () => undefined,
  answerVideo: () => undefined,
  toggleVideo: () => undefined,
  declineVideo: () => undefined,
  closeVideoNotice: () => undefined,
  setHasVideo: () => undefined,
  dismiss: () => undefined,
  followUp: () => undefined,
  showSettings: () => undefined,
  setRawAudio: () => undefined,
  toggleSilence: () => undefined,
  clearRecents: () => undefined,
  restoreRecents: () => undefined,
  endAndAnswer: () => undefined,
  activate: () => undefined,
  swap: () => undefined,
  join: () => undefined,
  split: () => undefined,
  leaveConference: () => undefined,
  showAdding: () => undefined,
  openTransfer: () => undefined,
  changeTransfer: () => undefined,
  closeTransfer: () => undefined,
  transferNow: () => undefined,
  askFirst: () => undefined,
  completeTransfer: () => undefined,
  acceptReferral: () => undefined,
  refuseReferral: () => undefined,
  chooseDevice: () => undefined,
  setProcessing: () => undefined,
  dismissDeviceLoss: () => undefined,
  setDoNotDisturb: () => undefined,
  watchLamps: () => undefined,
  sendMessage: () => undefined,
  readMessages: () => undefined,
  useHere: () => undefined,
  downloadReport: () => undefined,
  openMiniWindow: () => undefined,
  registerLinks: () => undefined,
};

function recent(index: number, call: Partial<RecentCall>): RecentCall {
  return {
    id: `recent-${index}`,
    direction: "outgoing",
    number: "1002",
    name: "Bob Ray",
    startedAt: NOW - index * 47 * 60_000,
    durationMs: 0,
    kind: "completed",
    ...call,
  };
}

const RECENT: readonly RecentCall[] = [
  recent(0, { durationMs: 134_000 }),
  recent(1, { direction: "incoming", kind: "missed", name: undefined, number: "+442079460018" }),
  recent(2, { direction: "incoming", durationMs: 612_000, name: "Carol Ito", number: "1003" }),
  recent(3, { name: undefined, number: "*43", durationMs: 21_000 }),
  recent(4, { name: undefined, number: "+4930123456", kind: "busy" }),
  recent(40, { direction: "incoming", durationMs: 3_845_000 }),
];

const signedIn: PhoneState = {
  ...initialState,
  signIn: { kind: "signed-in", userId: "1001", name: "Ann Lee" },
  link: { kind: "ready" },
};

const call: Call = {
  ...newCall("outgoing", "connected", {
    id: "1",
    number: "1002",
    name: "Bob Ray",
    at: NOW - 140_000,
  }),
  answeredAt: NOW - 134_000,
  media: "flowing",
};

const early: Partial<Call> = { answeredAt: undefined, media: "new", name: undefined };

function inCall(change: Partial<Call> = {}, rest: Partial<PhoneState> = {}): PhoneState {
  return { ...signedIn, recent: RECENT, lastNumber: "1002", call: { ...call, ...change }, ...rest };
}

function carol(change: Partial<Call>): Call {
  return { ...call, id: "3", number: "1003", name: "Carol Ito", direction: "incoming", ...change };
}

function over(kind: EndKind, details: CallEnd["details"], change: Partial<Call> = {}): PhoneState {
  return inCall({ ...early, phase: "ended", endedAt: NOW, end: { kind, details }, ...change });
}

function lost(used: string | undefined): Pick<PhoneState, "devices"> {
  const loss: DeviceLoss = { role: "microphone", lost: "Jabra Evolve2 65 Mono (0b0e:0e53)", used };
  return { devices: { ...NO_DEVICES, loss } };
}

const CALL_ID = "7f0a2c91d3e8";

const STATES: Readonly<Record<string, PhoneState>> = {
  "sign-in": initialState,
  "sign-in-busy": { ...initialState, signIn: { kind: "signing-in" } },
  "sign-in-wrong": {
    ...initialState,
    signIn: { kind: "signed-out", problem: "wrong-password" },
  },
  "sign-in-unreachable": {
    ...initialState,
    signIn: { kind: "signed-out", problem: "unreachable" },
  },
  "sign-in-expired": { ...initialState, signIn: { kind: "signed-out", problem: "expired" } },
  "sign-in-insecure": {
    ...initialState,
    signIn: { kind: "signed-out", problem: "insecure-page" },
  },
  connecting: { ...signedIn, link: { kind: "connecting" } },
  dial: signedIn,
  "dial-recent": { ...signedIn, recent: RECENT, lastNumber: "1002" },
  "dial-number": { ...signedIn, recent: RECENT, draft: "+49 30 123456" },
  "dial-ended": inCall({ phase: "ended", endedAt: NOW, end: { kind: "completed", details: {} } }),
  reconnecting: {
    ...signedIn,
    recent: RECENT,
    link: { kind: "reconnecting", attempt: 3, retryAt: NOW + 3_000 },
  },
  "other-tab": { ...signedIn, tab: "follower", recent: RECENT },
  "other-tab-call": inCall({}, { tab: "follower" }),
  "ring-blocked": signedIn,
  "device-lost": inCall({}, lost("Built-in Audio Analog Stereo")),
  "device-lost-last": { ...signedIn, ...lost(undefined) },
  "recent-cleared": { ...signedIn, cleared: { recent: RECENT, lastNumber: "1002" } },
  "recent-long": {
    ...signedIn,
    recent: Array.from({ length: 60 }, (_, index) => recent(index, { durationMs: 61_000 })),
  },
  unreachable: { ...signedIn, link: { kind: "unreachable", attempt: 2, retryAt: NOW + 1_000 } },
  refused: { ...signedIn, link: { kind: "refused", status: 403, reasonPhrase: "Forbidden" } },
  incoming: inCall({
    ...early,
    name: "Carol Ito",
    number: "1003",
    direction: "incoming",
    phase: "incoming",
  }),
  "incoming-video": inCall({
    ...early,
    name: "Carol Ito",
    number: "1003",
    direction: "incoming",
    phase: "incoming",
    video: { ...NO_VIDEO, isOffered: true },
  }),
  "incoming-number": inCall({
    ...early,
    number: "+442079460018",
    direction: "incoming",
    phase: "incoming",
  }),
  "incoming-microphone": inCall({
    ...early,
    name: "Carol Ito",
    number: "1003",
    direction: "incoming",
    phase: "incoming",
    microphoneProblem: "microphone-blocked",
  }),
  "incoming-silenced": inCall({
    ...early,
    name: "Carol Ito",
    number: "1003",
    direction: "incoming",
    phase: "incoming",
    isSilenced: true,
  }),
  answering: inCall({
    ...early,
    direction: "incoming",
    phase: "answering",
    isAskingForMicrophone: true,
  }),
  preparing: inCall({ ...early, phase: "preparing", isAskingForMicrophone: true }),
  calling: inCall({ ...early, phase: "calling" }),
  ringing: inCall({ ...early, phase: "ringing" }),
  "early-media": inCall({ ...early, phase: "early-media" }),
  connected: inCall(),
  muted: inCall({ isMuted: true }),
  "local-hold": inCall({ isHeld: true }),
  "remote-hold": inCall({ isHeldByPeer: true }),
  keypad: inCall({ isKeypadOpen: true, digits: "4711#" }),
  "video-question": inCall({ video: { ...NO_VIDEO, isReceiving: true, question: "open" } }),
  "video-both": inCall({ video: { ...NO_VIDEO, isReceiving: true, isSending: true } }),
  "video-mine": inCall({ video: { ...NO_VIDEO, isSending: true } }),
  "video-refused": inCall({ video: { ...NO_VIDEO, problem: "refused" } }),
  "video-failed": inCall({ video: { ...NO_VIDEO, problem: "failed" } }),
  "camera-blocked": inCall({ video: { ...NO_VIDEO, problem: "camera-blocked" } }),
  "camera-missing": inCall({ video: { ...NO_VIDEO, problem: "camera-missing" } }),
  "camera-busy": inCall({ video: { ...NO_VIDEO, problem: "camera-busy" } }),
  interrupted: inCall({ media: "interrupted" }),
  "turned-away": inCall({}, { turnedAway: "Carol Ito" }),
  "call-reconnecting": inCall(
    {},
    { link: { kind: "reconnecting", attempt: 3, retryAt: NOW + 3_000 } },
  ),
  "call-waiting": inCall({}, { others: [carol({ phase: "incoming", answeredAt: undefined })] }),
  "two-lines": inCall({}, { others: [carol({ isHeld: true })] }),
  conference: inCall({ isJoined: true }, { others: [carol({ isJoined: true })] }),
  "adding-call": inCall({}, { isAddingCall: true, recent: RECENT }),
  transfer: inCall({ transfer: { kind: "picking", text: "+4930123" } }),
  "transfer-consulting": inCall(
    { id: "2", number: "1003", name: "Carol Ito", consultsFor: "1" },
    {
      others: [{ ...call, isHeld: true, transfer: { kind: "consulting", callId: "2" } }],
    },
  ),
  transferring: inCall({
    isHeld: true,
    transfer: { kind: "transferring", target: "Carol Ito", status: 180 },
  }),
  "transfer-failed": inCall({
    transfer: { kind: "failed", target: "Carol Ito", status: 486, reasonPhrase: "Busy Here" },
  }),
  referral: inCall({ referral: "+49301234567" }),
  "microphone-blocked": over("microphone-blocked", {}),
  "microphone-missing": over("microphone-missing", {}),
  "microphone-busy": over("microphone-busy", {}),
  "number-not-found": over(
    "number-not-found",
    { status: 404, reasonPhrase: "Not Found", callId: CALL_ID },
    { number: "0301234567" },
  ),
  busy: over("busy", {
    status: 486,
    reasonPhrase: "Busy Here",
    reason: 'Q.850;cause=17;text="User busy"',
    callId: CALL_ID,
  }),
  "no-answer": over("no-answer", {
    status: 480,
    reasonPhrase: "Temporarily Unavailable",
    callId: CALL_ID,
  }),
  declined: over("declined", { status: 603, reasonPhrase: "Decline", callId: CALL_ID }),
  "not-allowed": over("not-allowed", { status: 403, reasonPhrase: "Forbidden", callId: CALL_ID }),
  "sign-in-refused": over("sign-in-refused", { status: 401, reasonPhrase: "Unauthorized" }),
  "audio-mismatch": over("audio-mismatch", {
    status: 488,
    reasonPhrase: "Not Acceptable Here",
    callId: CALL_ID,
  }),
  "provider-failed": over("provider-failed", {
    status: 503,
    reasonPhrase: "Service Unavailable",
    reason: "Q.850;cause=34",
    callId: CALL_ID,
  }),
  "server-unreachable": over("server-unreachable", {}),
  "audio-failed": over("audio-failed", { callId: CALL_ID }),
  "connection-lost": over("connection-lost", { callId: CALL_ID }),
  failed: over("failed", { status: 420, reasonPhrase: "Bad Extension", callId: CALL_ID }),
  settings: { ...signedIn, recent: RECENT, isSettingsOpen: true },
};

function withShells(): Readonly<Record<string, PhoneState>> {
  return {
    ...STATES,
    office: busyOffice,
    contacts: busyOffice,
    "contacts-empty": signedIn,
    "contacts-none-found": busyOffice,
    "contact-form": busyOffice,
    "contacts-imported": busyOffice,
    "recent-missed": busyOffice,
    messages: busyOffice,
    "messages-empty": signedIn,
    chat: busyOffice,
    "chat-new": busyOffice,
    "do-not-disturb": { ...busyOffice, around: { ...busyOffice.around, isDoNotDisturb: true } },
    quality: inCall({ quality: READINGS.slice(0, 50) }),
    "quality-open": inCall({ quality: READINGS }),
    "quality-poor": inCall({ quality: READINGS.slice(0, 66), warnings: ["jitter", "loss"] }),
    forwarded: { ...signedIn, recent: RECENT },
    "forwarded-busy": { ...signedIn, recent: RECENT },
    "own-calls": STATES["settings"] ?? signedIn,
    "own-calls-loading": STATES["settings"] ?? signedIn,
    "own-calls-failed": STATES["settings"] ?? signedIn,
    "own-calls-saved": STATES["settings"] ?? signedIn,
    "own-calls-refused": STATES["settings"] ?? signedIn,
    "check-microphone": signedIn,
    "check-blocked": signedIn,
    "check-speaker": signedIn,
    "check-echo": signedIn,
    "check-echo-call": inCall({ number: "*43", name: undefined }),
  };
}

const CONTACTS: readonly Contact[] = [
  { id: "a", name: "Bob Ray", number: "1002", isWatched: true },
  { id: "b", name: "Carol Ito", number: "1003", isWatched: true },
  { id: "c", name: "Dr. Đặng Thị Minh Châu-Hohenstein", number: "+842438256000", isWatched: false },
  { id: "d", name: "Émile Dupont", number: "+33142685300", isWatched: false },
  { id: "e", name: "ليلى حداد", number: "+97142222222", isWatched: true },
];

const READINGS: readonly QualityReading[] = Array.from({ length: 90 }, (_, index) => {
  const isBad = index > 50 && index < 68;
  const reading = {
    roundTripMs: isBad ? 310 : 42,
    jitterMs: isBad ? 34 : 6,
    loss: isBad ? 0.06 : 0.002,
  };
  return {
    ...reading,
    at: NOW - (90 - index) * 1000,
    octetsReceived: 8000,
    packetsReceived: 50,
    packetsSent: 50,
    levelSent: 0.2,
    levelReceived: 0.2,
    mos: mosOf(reading),
  };
});

function message(index: number, change: Partial<Message>): Message {
  return {
    id: `message-${index}`,
    peer: "1002",
    name: "Bob Ray",
    direction: "incoming",
    text: "Are you free for a call at eleven?",
    at: NOW - index * 90_000,
    state: "read",
    ...change,
  };
}

const MESSAGES: readonly Message[] = [
  message(9, {
    peer: "1003",
    name: "Carol Ito",
    text: "The plans are on your desk.",
    state: "unread",
  }),
  message(4, {}),
  message(3, { direction: "outgoing", text: "Yes. Shall I call you?", state: "sent" }),
  message(2, { text: "Please do, my number is +44 20 7946 0018." }),
  message(1, { direction: "outgoing", text: "Good, until then", state: "sending" }),
  message(0, { direction: "outgoing", text: "It may be five minutes later", state: "failed" }),
];

const busyOffice: PhoneState = {
  ...signedIn,
  recent: RECENT,
  lastNumber: "1002",
  around: {
    isDoNotDisturb: false,
    voicemail: { waiting: 2, old: 5 },
    lamps: [
      { number: "1002", state: "busy" },
      { number: "1003", state: "idle" },
      { number: "+97142222222", state: "ringing" },
    ],
    messages: MESSAGES,
  },
};

const OWN_CALLS: OwnCalls = {
  doNotDisturb: false,
  forward: {
    always: { number: "+493012345678", on: true },
    noAnswer: { number: "1003", on: true },
  },
  settable: ["doNotDisturb", "always", "busy", "noAnswer"],
};

const FORWARDED: OwnCallsState = { ...NO_OWN_CALLS, known: OWN_CALLS, load: "loaded" };

/** States whose screens remember more than calls: what that is. */
const SHELLS: Readonly<Record<string, Partial<Shell>>> = {
  office: { contacts: CONTACTS, view: "contacts" },
  contacts: { contacts: CONTACTS, view: "contacts" },
  "contacts-empty": { view: "contacts" },
  "contacts-none-found": { contacts: CONTACTS, view: "contacts", query: "zoë" },
  "contact-form": { contacts: CONTACTS, view: "contacts", editing: CONTACTS[0] },
  "contacts-imported": {
    contacts: CONTACTS,
    view: "contacts",
    contactNotice: { kind: "imported", count: 3 },
  },
  "recent-missed": { isMissedOnly: true },
  messages: { contacts: CONTACTS, view: "messages" },
  "messages-empty": { view: "messages" },
  chat: { contacts: CONTACTS, view: "messages", chatWith: "1002" },
  "chat-new": { view: "messages", chatWith: "" },
  "quality-open": { isQualityOpen: true },
  forwarded: { ownCalls: FORWARDED },
  "forwarded-busy": {
    ownCalls: { ...FORWARDED, known: { ...OWN_CALLS, doNotDisturb: true, forward: {} } },
  },
  "own-calls": { ownCalls: { ...FORWARDED, known: { ...OWN_CALLS, forward: {} } } },
  "own-calls-loading": { ownCalls: { ...NO_OWN_CALLS, load: "loading" } },
  "own-calls-failed": { ownCalls: { ...NO_OWN_CALLS, load: "failed" } },
  "own-calls-saved": { ownCalls: { ...FORWARDED, save: "saved" } },
  "own-calls-refused": { ownCalls: { ...FORWARDED, save: "refused" } },
  "check-microphone": { check: aCheck({ isListening: true, hasHeard: true }) },
  "check-blocked": { check: aCheck({ problem: "microphone-blocked" }) },
  "check-speaker": { check: aCheck({ step: "speaker", isSilent: true }) },
  "check-echo": { check: aCheck({ step: "echo" }) },
  "check-echo-call": { check: aCheck({ step: "echo", hasCalled: true }) },
};

function aCheck(change: Partial<Check>): Check {
  return {
    step: "microphone",
    problem: undefined,
    isListening: false,
    hasHeard: false,
    isSilent: false,
    hasCalled: false,
    ...change,
  };
}

/** Two pictures, for what a camera would show. */
function drawing(hue: number): MediaStream {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  const paper = canvas.getContext("2d");
  if (paper !== null) {
    paper.fillStyle = `hsl(${hue} 30% 34%)`;
    paper.fillRect(0, 0, 640, 480);
    paper.fillStyle = `hsl(${hue} 32% 62%)`;
    paper.beginPath();
    paper.arc(320, 190, 90, 0, 2 * Math.PI);
    paper.ellipse(320, 480, 190, 170, 0, 0, 2 * Math.PI);
    paper.fill();
  }
  return canvas.captureStream(1);
}

const pictures = { mine: signal(drawing(150)), theirs: signal(drawing(210)) };
const levels = { mine: signal(0.62), theirs: signal(0.48) };

/** What the query of the address says; each is also an argument of `show`. */
interface Look {
  readonly state: string;
  readonly theme: Theme;
  /** A language, or `pseudo`. */
  readonly lang: string;
}

const bench = {
  level: levels.mine,
  listen: () => Promise.resolve(undefined),
  stop: () => undefined,
  play: () => undefined,
};

const root = document.querySelector<HTMLElement>("#phone");

function Index() {
  return (
    <main class="gallery">
      <h1>States of the phone</h1>
      <p>
        Add <code>&amp;theme=dark</code> or <code>&amp;lang=ar</code> (en, de, fr, es, ar, pseudo)
        to an address.
      </p>
      <ul>
        {Object.keys(withShells()).map((name) => (
          <li key={name}>
            <a href={`?state=${name}`}>{name}</a>
          </li>
        ))}
      </ul>
    </main>
  );
}

async function show(look: Look): Promise<void> {
  if (root === null) return;
  if (look.lang === "pseudo") {
    setLanguage("en", (await import("./i18n/pseudo.ts")).pseudo);
  } else {
    await useLanguage(tryParseLanguage(look.lang) ?? "en");
  }
  await preloadViews();
  const page = document.documentElement;
  page.lang = languageTag();
  page.dir = languageDirection();
  page.dataset["theme"] = look.theme;
  const state = withShells()[look.state];
  // A state begins as a page would: with nothing of the one before, not even the focus.
  render(null, root);
  render(
    state === undefined ? (
      <Index />
    ) : (
      <PhoneView
        state={state}
        actions={actions}
        levels={levels}
        pictures={pictures}
        now={NOW}
        canRing={look.state !== "ring-blocked"}
        shell={{ ...initialShell(DEFAULT_PREFERENCES), ...SHELLS[look.state] }}
        onShell={() => undefined}
        presetUser=""
        bench={bench}
      />
    ),
    root,
  );
}

const query = new URLSearchParams(location.search);
const theme = query.get("theme");
void show({
  state: query.get("state") ?? "",
  theme: theme === "light" || theme === "dark" ? theme : "auto",
  lang: query.get("lang") ?? "en",
});

// For tests that walk through all of them in one page.
Object.defineProperty(window, "offhookGallery", {
  value: Object.freeze({ states: Object.keys(withShells()), show }),
});
