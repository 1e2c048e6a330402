/** Puts the phone together in an element: ports on the inside, screens on the outside. */
import { effect, type ReadonlySignal, signal } from "@preact/signals";
import { render } from "preact";
import { openMicrophone, type OpenMicrophone } from "./agent/open-microphone.ts";
import { type CallMedia, type RemoteSound, SipAgent } from "./agent/sip-agent.ts";
import { watchLevel } from "./audio/levels.ts";
import { RemotePlayer } from "./audio/remote-player.ts";
import { type Tone, Tones } from "./audio/tones.ts";
import { chooseLanguage, useLanguage } from "./i18n/languages.ts";
import { languageDirection, languageTag } from "./i18n/text.ts";
import { type Command, commandOf } from "./keyboard.ts";
import { keysInUse } from "./keys.ts";
import { deviceInUse } from "./devices.ts";
import { watchDevices } from "./device-watch.ts";
import { initialState, isInCall } from "./state.ts";
import { tryParsePadKey } from "./number.ts";
import { download } from "./page/download.ts";
import { forwardActions, runAction } from "./page/forward.ts";
import { registerDialLinks } from "./page/link-handler.ts";
import { MediaKeys } from "./page/media-keys.ts";
import { openMiniWindow } from "./page/mini-window.ts";
import { askForSession, shareSession } from "./page/session-share.ts";
import { Tabs } from "./page/tabs.ts";
import { CallWakeLock } from "./page/wake-lock.ts";
import { watchNetwork } from "./network-watch.ts";
import { attachOwnCalls } from "./own-calls-watch.ts";
import { Phone } from "./phone.ts";
import { signIn } from "./session-client.ts";
import { changeShell, initialShell, preferencesOf, type Shell, type ShellEvent } from "./shell.ts";
import { attachShell } from "./shell-effects.ts";
import { SoundBench } from "./sound-bench.ts";
import type { PhoneState } from "./state.ts";
import {
  instanceIdOf,
  loadDeviceChoice,
  loadDoNotDisturb,
  loadMemory,
  loadPreferences,
  loadRawAudio,
  loadSession,
  saveDeviceChoice,
  saveDoNotDisturb,
  saveMemory,
  savePreferences,
  saveRawAudio,
  saveSession,
} from "./storage.ts";
import type { PhoneActions } from "./ui/actions.ts";
import { preloadViews } from "./ui/late-views.ts";
import { PhoneView } from "./ui/PhoneView.tsx";
import { callerOf, titleOf } from "./ui/wording.ts";

/** For tests that measure sound in the real page: looks, never touches. */
interface TestSeam {
  state(): PhoneState;
  peerConnection(): RTCPeerConnection | undefined;
  remoteStream(): MediaStream | undefined;
  /** The sound of the call of that id. */
  media(id: string): CallMedia | undefined;
}

declare global {
  interface Window {
    readonly offhookPhone?: TestSeam;
  }
}

function toneOf(state: PhoneState): Tone | undefined {
  const call = state.call;
  const isTalking = call?.phase === "connected" || call?.phase === "early-media";
  const isWaiting = state.others.some((one) => one.phase === "incoming" && !one.isSilenced);
  if (isTalking && isWaiting) return "call-waiting";
  switch (call?.phase) {
    case "incoming":
      return call.isSilenced ? undefined : "ring";
    case "ringing":
      return "ring-back";
    case "ended":
      return call.end?.kind === "busy" ? "busy" : undefined;
    default:
      return undefined;
  }
}

function isTextField(target: EventTarget | null): boolean {
  return (
    (target instanceof HTMLInputElement && target.type !== "checkbox") ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  );
}

/** `?raw-audio=1` is the setting "Raw audio" for one visit. */
function wantsRawAudio(): boolean {
  return new URLSearchParams(location.search).get("raw-audio") === "1" || loadRawAudio();
}

/** Where the phone is put, and what it talks to. */
export interface MountOptions {
  /** Gets the screens. */
  readonly root: HTMLElement;
  /** Gets language, direction and theme. */
  readonly frame: HTMLElement;
  /** The gateway's address, with a slash at its end. */
  readonly server: URL;
  /** The page is the phone: its title, and keys that nothing has the focus for, are ours. */
  readonly isPage: boolean;
  /** A telephone link has opened the page: it goes on with the session of a tab that is there. */
  readonly isOpenedByLink?: boolean;
  /** The user who is asked for the password; default: asked for too. */
  readonly user?: string;
  /** Numbers whose lamps are wanted beside those of watched contacts. */
  readonly watch?: readonly string[];
}

/** A phone that is up. */
export interface MountedPhone {
  readonly phone: Phone<OpenMicrophone>;
  /** What the user can do, whichever tab has the phone. */
  readonly actions: PhoneActions;
  readonly state: ReadonlySignal<PhoneState>;
  readonly shell: ReadonlySignal<Shell>;
  readonly onShell: (event: ShellEvent) => void;
  /** Ends calls and registration and takes the screens away. */
  dispose(): void;
}

/** Puts a phone into a page. */
export async function mountPhone(options: MountOptions): Promise<MountedPhone> {
  const { root, frame } = options;
  const life = new AbortController();
  const untilDisposed = { signal: life.signal };
  const tones = new Tones();
  const player = new RemotePlayer(document);
  const levels = { mine: signal(0), theirs: signal(0) };
  const pictures = {
    mine: signal<MediaStream | undefined>(undefined),
    theirs: signal<MediaStream | undefined>(undefined),
  };
  const now = signal(Date.now());
  const canRing = signal(navigator.userActivation.hasBeenActive);
  let agent: SipAgent | undefined;
  let tabs: Tabs | undefined;
  /** What the tab that has the phone shows, while it is another one. */
  let mirrored: PhoneState | undefined;
  let stopLevels: (() => void) | undefined;
  const sound: RemoteSound = {
    get context() {
      return tones.context;
    },
    attach: (id, stream) => {
      player.attach(id, stream);
      // In the middle of a call: its connection, or its microphone, is another one.
      const { call } = state.value;
      if (call?.id === id && call.phase === "connected") showLevels(id);
    },
    detach: (id) => player.detach(id),
  };

  const phone = new Phone<OpenMicrophone>(
    {
      signIn: (user, password) => signIn(new URL("api/v1/session", options.server), user, password),
      createAgent: (session, handler) => {
        tones.network = session.tones;
        agent = new SipAgent(session, handler, sound, instanceIdOf(session.user.id));
        return agent;
      },
      openMicrophone: (wish) =>
        openMicrophone(wish, (label) => phone.devices.microphoneLost(label)),
      contend: (session, events) => {
        const name = `offhook.phone ${options.server.href} ${session.user.id}`;
        const share = new Tabs(name, {
          onLead: () => {
            mirrored = undefined;
            events.onLead();
          },
          onFollow: events.onFollow,
          onMirror: (theirs) => {
            mirrored = theirs;
            show();
          },
          onCommand: (command, parameters) => runAction(ownActions, command, parameters),
        });
        tabs = share;
        return () => share.leave();
      },
      loadSession,
      saveSession,
      loadMemory,
      saveMemory,
      saveRawAudio,
      saveDeviceChoice,
      saveDoNotDisturb,
      keyTone: (key) => tones.key(key),
      newId: () => crypto.randomUUID(),
      now: () => Date.now(),
      after: (milliseconds, callback) => {
        const timer = setTimeout(callback, milliseconds);
        return () => clearTimeout(timer);
      },
      onState: (next) => {
        tabs?.tell(next);
        show();
      },
    },
    {
      isRawAudio: wantsRawAudio(),
      devices: loadDeviceChoice(),
      isDoNotDisturb: loadDoNotDisturb(),
    },
  );
  const state = signal(phone.state);
  const wakeLock = new CallWakeLock(life.signal);
  const mediaKeys = new MediaKeys({
    onHangUp: () => phone.end(),
    onToggleMicrophone: () => phone.toggleMute(),
  });
  /** Shows what this tab's phone does, or what the one that has the phone tells. */
  function show(): void {
    const own = phone.state;
    const isElsewhere = own.tab === "follower" && own.signIn.kind === "signed-in";
    const next: PhoneState =
      isElsewhere && mirrored !== undefined ? { ...mirrored, tab: "follower" } : own;
    const before = state.value;
    state.value = next;
    now.value = Date.now();
    if (before.devices !== next.devices) useDevices(next);
    const isSame = next.call?.id === before.call?.id && next.call?.phase === before.call?.phase;
    const isAsLoud = next.call?.isSilenced === before.call?.isSilenced;
    const isAsBefore = isSame && isAsLoud && next.others === before.others;
    if (!isAsBefore || next.tab !== before.tab) onPhase(next, isSame);
    const { call } = isElsewhere ? initialState : own;
    const shown = call === undefined ? undefined : agent?.mediaOf(call.id);
    pictures.mine.value = shown?.localPictures;
    pictures.theirs.value = shown?.remotePictures;
    wakeLock.want(!isElsewhere && isInCall(own));
    mediaKeys.show(
      call?.phase === "connected" ? { title: callerOf(call), isMuted: call.isMuted } : undefined,
    );
  }

  function useDevices(next: PhoneState): void {
    player.setSink(deviceInUse(next.devices, "speaker"));
    tones.setSinks({
      ringer: deviceInUse(next.devices, "ringer"),
      speaker: deviceInUse(next.devices, "speaker"),
    });
  }

  /** @param isSame the call in the pane is the same, in the same phase */
  function onPhase(next: PhoneState, isSame: boolean): void {
    // The tab that has the phone rings for all.
    tones.play(next.tab === "leader" ? toneOf(next) : undefined);
    if (options.isPage) document.title = titleOf(next);
    if (isSame) return;
    if (next.call?.phase === "connected") {
      showLevels(next.call.id);
    } else {
      stopLevels?.();
      stopLevels = undefined;
    }
  }

  function showLevels(callId: string): void {
    stopLevels?.();
    const media = agent?.mediaOf(callId);
    const stops = [
      [media?.localStream, levels.mine] as const,
      [media?.remoteStream, levels.theirs] as const,
    ].map(([stream, level]) =>
      stream === undefined
        ? undefined
        : watchLevel(tones.context, stream, (value) => {
            level.value = value;
          }),
    );
    stopLevels = () => stops.forEach((stop) => stop?.());
  }

  const shell = signal(initialShell(loadPreferences()));

  function dispatchToShell(event: ShellEvent): void {
    const before = shell.value;
    shell.value = changeShell(before, event);
    if (shell.value.preferences !== before.preferences) savePreferences(shell.value.preferences);
  }

  const bench = new SoundBench(tones, () => state.value.devices);
  const stopShell = attachShell({
    state,
    shell,
    onShell: dispatchToShell,
    always: options.watch ?? [],
    watchLamps: (numbers) => phone.watchLamps(numbers),
  });
  const stopOwnCalls = attachOwnCalls({
    state,
    shell,
    onEvent: (event) => dispatchToShell({ type: "own-calls", event }),
    session: loadSession,
    endpoint: new URL("api/v1/me", options.server),
  });
  const stopPreloading = effect(() => {
    if (state.value.signIn.kind === "signed-in") void preloadViews();
  });
  const stopLanguage = effect(() => {
    void useLanguage(chooseLanguage(preferencesOf(shell.value).language, navigator.languages));
  });
  const stopFrame = effect(() => {
    const { hasShortcuts, keys } = preferencesOf(shell.value);
    keysInUse.value = hasShortcuts ? keys : undefined;
    frame.lang = languageTag();
    frame.dir = languageDirection();
    frame.dataset["theme"] = preferencesOf(shell.value).theme;
    if (options.isPage) document.title = titleOf(state.value);
  });

  const ownActions: PhoneActions = {
    signIn: (user, password) => phone.signIn(user, password),
    signOut: () => phone.signOut(),
    reconnectNow: () => phone.reconnectNow(),
    changeDraft: (text) => phone.changeDraft(text),
    dial: (text) => phone.dial(text),
    redial: () => phone.redial(),
    press: (key) => phone.press(key),
    answer: (id) => phone.answer(id),
    toggleSilence: (id) => phone.toggleSilence(id),
    clearRecents: () => phone.clearRecents(),
    restoreRecents: () => phone.restoreRecents(),
    endAndAnswer: (id) => phone.endAndAnswer(id),
    end: (id) => phone.end(id),
    activate: (id) => phone.activate(id),
    swap: () => phone.swap(),
    join: () => phone.join(),
    split: () => phone.split(),
    leaveConference: () => phone.leaveConference(),
    showAdding: (isAdding) => phone.showAdding(isAdding),
    openTransfer: () => phone.transfers.open(),
    changeTransfer: (text) => phone.transfers.change(text),
    closeTransfer: () => phone.transfers.close(),
    transferNow: (text) => phone.transfers.now(text),
    askFirst: (text) => phone.transfers.askFirst(text),
    completeTransfer: () => phone.transfers.complete(),
    acceptReferral: (id) => phone.transfers.acceptReferral(id),
    refuseReferral: (id) => phone.transfers.refuseReferral(id),
    chooseDevice: (role, id) => phone.devices.choose(role, id),
    setProcessing: (processing) => phone.devices.setProcessing(processing),
    dismissDeviceLoss: () => phone.devices.dismissLoss(),
    setDoNotDisturb: (isOn) => phone.setDoNotDisturb(isOn),
    watchLamps: (numbers) => phone.watchLamps(numbers),
    sendMessage: (to, text) => phone.sendMessage(to, text),
    readMessages: (peer) => phone.readMessages(peer),
    downloadReport: () =>
      download(
        "offhook-report.json",
        phone.report({ userAgent: navigator.userAgent, page: options.server.href }),
      ),
    openMiniWindow: () => {
      const fill = (into: HTMLElement): (() => void) => {
        render(<App />, into);
        return () => render(null, into);
      };
      openMiniWindow(fill).catch(() => undefined);
    },
    useHere: () => tabs?.take(),
    registerLinks: () => registerDialLinks(options.server),
    toggleMute: () => phone.toggleMute(),
    toggleHold: () => phone.toggleHold(),
    toggleKeypad: () => phone.toggleKeypad(),
    dialVideo: () => phone.dial(undefined, phone.videos.camera),
    answerVideo: () => phone.answer(undefined, phone.videos.camera),
    toggleVideo: () => phone.videos.toggle(),
    declineVideo: () => phone.videos.decline(),
    closeVideoNotice: () => phone.videos.closeNotice(),
    setHasVideo: (hasVideo) => phone.devices.setHasVideo(hasVideo),
    dismiss: () => phone.dismiss(),
    followUp: () => phone.followUp(),
    showSettings: (isOpen) => phone.showSettings(isOpen),
    setRawAudio: (isRaw) => phone.setRawAudio(isRaw),
  };
  const actions = forwardActions(
    ownActions,
    () => state.value.tab === "follower",
    (name, parameters) => tabs?.command(name, parameters),
  );

  function run(command: Command): void {
    switch (command.type) {
      case "answer":
        actions.answer();
        return;
      case "end":
        actions.end();
        return;
      case "toggle-silence":
        actions.toggleSilence();
        return;
      case "toggle-mute":
        actions.toggleMute();
        return;
      case "toggle-hold":
        actions.toggleHold();
        return;
      case "toggle-keypad":
        actions.toggleKeypad();
        return;
      case "open-transfer":
        actions.openTransfer();
        return;
      case "toggle-video":
        actions.toggleVideo();
        return;
      case "swap":
        actions.swap();
        return;
      case "join":
        actions.join();
        return;
      case "answer-waiting":
        actions.answer(command.id);
        return;
      case "search":
        dispatchToShell({ type: "contact-edited", contact: undefined });
        dispatchToShell({ type: "view-chosen", view: "contacts" });
        // When the view has been drawn.
        setTimeout(() =>
          root.querySelector<HTMLInputElement>("[data-testid=contact-search]")?.focus(),
        );
        return;
      case "show-help":
        actions.showSettings(true);
        return;
      case "press":
        actions.press(command.key);
        return;
      case "type":
        actions.changeDraft(`${state.value.draft}${command.text}`);
        root.querySelector<HTMLInputElement>("[data-testid=number-field]")?.focus();
    }
  }

  function onKeyDown(event: KeyboardEvent): void {
    // In a shadow tree the event's own target is the host; the path has the field in it.
    const target = event.composedPath()[0] ?? null;
    const isInside = target instanceof Node && root.contains(target);
    const command = commandOf(state.value, {
      key: event.key,
      ctrlKey: event.ctrlKey,
      altKey: event.altKey,
      metaKey: event.metaKey,
      // Letters of a page around the phone are not the phone's.
      isInTextField: isTextField(target) || !(isInside || options.isPage),
      hasShortcuts: preferencesOf(shell.value).hasShortcuts,
      keys: preferencesOf(shell.value).keys,
    });
    if (command === undefined) return;
    event.preventDefault();
    run(command);
  }
  addEventListener("keydown", onKeyDown, untilDisposed);
  for (const gesture of ["pointerdown", "keydown"] as const) {
    addEventListener(
      gesture,
      () => {
        tones.unlock();
        player.resume();
        canRing.value = true;
      },
      untilDisposed,
    );
  }
  function onPaste(event: ClipboardEvent): void {
    const target = event.composedPath()[0] ?? null;
    const isOurs = options.isPage || (target instanceof Node && root.contains(target));
    if (!isOurs || state.value.call?.phase !== "connected" || isTextField(target)) return;
    for (const character of event.clipboardData?.getData("text") ?? "") {
      const key = tryParsePadKey(character);
      if (key !== undefined) actions.press(key);
    }
  }
  addEventListener("paste", onPaste, untilDisposed);
  watchNetwork({
    onChanged: () => phone.networkChanged(true),
    onHint: () => phone.networkChanged(false),
  });
  watchDevices((...listed) => phone.devices.listed(...listed), untilDisposed);
  function onVisibility(): void {
    const isLost = state.value.link.kind !== "ready";
    if (document.visibilityState === "visible" && isLost) phone.reconnectNow();
  }
  document.addEventListener("visibilitychange", onVisibility, untilDisposed);
  function onBeforeUnload(event: BeforeUnloadEvent): void {
    // Another tab's call does not end with this one.
    if (isInCall(phone.state)) event.preventDefault();
  }
  addEventListener("beforeunload", onBeforeUnload, untilDisposed);
  addEventListener("pagehide", () => phone.leave(), untilDisposed);
  // A page out of the back-forward cache has no connection any more: it starts anew.
  addEventListener(
    "pageshow",
    (event) => {
      if (event.persisted) location.reload();
    },
    untilDisposed,
  );
  const ticking = setInterval(() => {
    const { link } = state.value;
    const isTicking =
      isInCall(state.value) || link.kind === "reconnecting" || link.kind === "unreachable";
    if (isTicking) now.value = Date.now();
  }, 500);

  const seam: TestSeam = {
    state: () => state.value,
    peerConnection: () => agent?.mediaOf(state.value.call?.id ?? "")?.peerConnection,
    remoteStream: () => agent?.mediaOf(state.value.call?.id ?? "")?.remoteStream,
    media: (id) => agent?.mediaOf(id),
  };
  Object.defineProperty(window, "offhookPhone", {
    value: Object.freeze(seam),
    configurable: true,
  });

  function App() {
    return (
      <PhoneView
        state={state.value}
        actions={actions}
        levels={levels}
        pictures={pictures}
        now={now.value}
        canRing={canRing.value}
        shell={shell.value}
        onShell={dispatchToShell}
        presetUser={options.user ?? ""}
        bench={bench}
      />
    );
  }
  render(<App />, root);

  if (options.isPage) shareSession(options.server, loadSession, life.signal);
  if (!isSecureContext) {
    phone.signOut("insecure-page");
  } else {
    if (options.isOpenedByLink === true && loadSession() === undefined) {
      saveSession(await askForSession(options.server));
    }
    phone.resume();
  }

  return {
    phone,
    actions,
    state,
    shell,
    onShell: dispatchToShell,
    dispose: () => {
      life.abort();
      clearInterval(ticking);
      phone.close();
      stopLevels?.();
      tones.play(undefined);
      stopShell();
      bench.stop();
      stopOwnCalls();
      stopPreloading();
      stopLanguage();
      stopFrame();
      render(null, root);
    },
  };
}
