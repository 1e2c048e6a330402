/** Plays the far ends through audio elements of the page, one a call. */

/** See the head of this file. */
export class RemotePlayer {
  readonly #document: Document;
  readonly #elements = new Map<string, HTMLAudioElement>();
  #sinkId = "";

  constructor(document: Document) {
    this.#document = document;
  }

  attach(id: string, stream: MediaStream): void {
    const element = this.#elements.get(id) ?? this.#add(id);
    if (element.srcObject !== stream) element.srcObject = stream;
    this.resume();
  }

  detach(id: string): void {
    const element = this.#elements.get(id);
    if (element === undefined) return;
    this.#elements.delete(id);
    element.srcObject = null;
    element.remove();
  }

  /** Plays what the browser held back until the user did something. */
  resume(): void {
    for (const element of this.#elements.values()) {
      if (!element.paused) continue;
      element.play().catch(() => {
        // Held back by the browser's autoplay rule: the next click or key comes here again.
      });
    }
  }

  /** @param sinkId `""` for the system's default (W3C Audio Output Devices) */
  setSink(sinkId: string): void {
    if (this.#sinkId === sinkId) return;
    this.#sinkId = sinkId;
    for (const element of this.#elements.values()) this.#applySink(element);
  }

  #add(id: string): HTMLAudioElement {
    const element = this.#document.createElement("audio");
    element.autoplay = true;
    element.hidden = true;
    element.dataset["call"] = id;
    this.#document.body.append(element);
    this.#elements.set(id, element);
    if (this.#sinkId !== "") this.#applySink(element);
    return element;
  }

  #applySink(element: HTMLAudioElement): void {
    // Firefox before 116 and Safari play where the system says.
    if (!("setSinkId" in element)) return;
    element.setSinkId(this.#sinkId).catch(() => {
      // Gone: the browser goes on with the default.
    });
  }
}
