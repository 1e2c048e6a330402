/**
 * `<sip-phone>`: the web phone as an element of any page. The gateway serves this script at
 * `/embed/sip-phone.js`; docs/embed.md says what it can do. Everything is in a shadow tree, so that
 * neither the page's styles nor its scripts meet the phone's by accident.
 */
import { effect } from "@preact/signals";
import { tryParseLanguage } from "../i18n/languages.ts";
import { mountPhone, type MountedPhone } from "../main.tsx";
import { cleanNumber } from "../number.ts";
import type { Theme } from "../preferences.ts";
import { tryParseSession } from "../session-client.ts";
import type { PhoneState } from "../state.ts";
import { type CallSummary, eventsBetween, summariesOf } from "./call-events.ts";
import { phoneSheet } from "./styles.ts";

/** Beside the script's directory: the gateway that served it. */
const OWN_SERVER = new URL(/* @vite-ignore */ "../", import.meta.url);

function themeOf(text: string | null): Theme | undefined {
  return text === "light" || text === "dark" || text === "auto" ? text : undefined;
}

/** The custom element. */
export class SipPhoneElement extends HTMLElement {
  static readonly observedAttributes = ["theme", "lang", "compact"];
  readonly #tree: ShadowRoot;
  readonly #frame: HTMLDivElement;
  #mounted: MountedPhone | undefined;
  #life: AbortController | undefined;
  #sessionBody: unknown;

  constructor() {
    super();
    this.#tree = this.attachShadow({ mode: "open", delegatesFocus: true });
    this.#tree.adoptedStyleSheets = [phoneSheet()];
    this.#frame = document.createElement("div");
    this.#frame.className = "embedded";
    this.#tree.append(this.#frame);
  }

  /**
   * The answer of the gateway's `POST /api/v1/session`, when the page has fetched it by itself, for
   * its own signed-in user. To be set before or after the element is in the page.
   */
  set session(body: unknown) {
    this.#sessionBody = body;
    const session = tryParseSession(body);
    if (session !== undefined) this.#mounted?.phone.begin(session);
  }

  /** Whether calls can be placed now. */
  get isReady(): boolean {
    return this.#mounted?.state.value.link.kind === "ready";
  }

  /** Calls a number, as if the user had. Does nothing before `ready`. */
  dial(number: string): void {
    this.#mounted?.actions.dial(number);
  }

  /** Puts a number into the field and leaves the calling to the user. */
  prefill(number: string): void {
    this.#mounted?.actions.changeDraft(cleanNumber(number));
  }

  /** The calls now. */
  get calls(): readonly CallSummary[] {
    return this.#mounted === undefined ? [] : summariesOf(this.#mounted.state.value);
  }

  /** The call in the pane, or the one of that id. */
  answer(id?: string): void {
    this.#mounted?.actions.answer(id);
  }

  /** Ends, cancels or declines the call in the pane, or the one of that id. */
  hangup(id?: string): void {
    this.#mounted?.actions.end(id);
  }

  /** Brings a held call back; the one in the pane is held. */
  activate(id: string): void {
    this.#mounted?.actions.activate(id);
  }

  signOut(): void {
    this.#mounted?.actions.signOut();
  }

  connectedCallback(): void {
    const life = new AbortController();
    this.#life = life;
    void this.#start(life.signal);
  }

  disconnectedCallback(): void {
    this.#life?.abort();
    this.#life = undefined;
    this.#mounted?.dispose();
    this.#mounted = undefined;
  }

  attributeChangedCallback(): void {
    this.#applyAttributes();
  }

  async #start(signal: AbortSignal): Promise<void> {
    const root = document.createElement("div");
    root.className = "embedded__phone";
    this.#frame.replaceChildren(root);
    const server = new URL(this.getAttribute("server") ?? OWN_SERVER, document.baseURI);
    if (!server.pathname.endsWith("/")) server.pathname += "/";
    const mounted = await mountPhone({
      root,
      frame: this.#frame,
      server,
      isPage: false,
      user: this.getAttribute("user") ?? "",
      watch: (this.getAttribute("watch") ?? "").split(" ").filter((number) => number !== ""),
    });
    // Taken out of the page, and maybe put into another place, while it started.
    if (signal.aborted) {
      mounted.dispose();
      return;
    }
    this.#mounted = mounted;
    this.#applyAttributes();
    let before: PhoneState = { ...mounted.state.value, signIn: { kind: "signing-in" } };
    const stop = effect(() => {
      const now = mounted.state.value;
      for (const { type, detail } of eventsBetween(before, now)) {
        this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
      }
      before = now;
    });
    signal.addEventListener("abort", stop);
    await this.#takeSession(signal);
  }

  /** The page's own session, else the one that the page's server has for its user. */
  async #takeSession(signal: AbortSignal): Promise<void> {
    const given = tryParseSession(this.#sessionBody);
    if (given !== undefined) {
      this.#mounted?.phone.begin(given);
      return;
    }
    const url = this.getAttribute("session-url");
    if (url === null) return;
    try {
      const response = await fetch(new URL(url, document.baseURI), {
        headers: { accept: "application/json" },
        credentials: "same-origin",
        signal,
      });
      const session = response.ok ? tryParseSession(await response.json()) : undefined;
      if (session !== undefined) this.#mounted?.phone.begin(session);
    } catch {
      // The phone shows its own sign-in, which works without the page's server.
    }
  }

  #applyAttributes(): void {
    const theme = themeOf(this.getAttribute("theme"));
    const language = tryParseLanguage(this.getAttribute("lang") ?? "");
    this.#frame.toggleAttribute("data-compact", this.hasAttribute("compact"));
    this.#mounted?.onShell({
      type: "preferences-forced",
      change: {
        ...(theme === undefined ? {} : { theme }),
        ...(language === undefined ? {} : { language }),
      },
    });
  }
}

if (customElements.get("sip-phone") === undefined) {
  customElements.define("sip-phone", SipPhoneElement);
}
