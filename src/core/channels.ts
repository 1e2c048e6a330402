import { channel } from "node:diagnostics_channel";

/**
 * A named stream of facts, published by an inner room and read by src/observe and src/http.
 *
 * A room publishes what happened and never asks who listens; with no subscriber a fact costs one
 * property read.
 */
export class FactChannel<Fact> {
  readonly #channel;

  /** @param name `offhook:room.fact`, unique in the process */
  constructor(name: string) {
    this.#channel = channel(name);
  }

  get hasSubscribers(): boolean {
    return this.#channel.hasSubscribers;
  }

  publish(fact: Fact): void {
    if (this.#channel.hasSubscribers) this.#channel.publish(fact);
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: (fact: Fact) => void): () => void {
    // The only publisher of this name is this class, so the message is a Fact.
    const onMessage = (message: unknown): void => listener(message as Fact);
    this.#channel.subscribe(onMessage);
    return () => {
      this.#channel.unsubscribe(onMessage);
    };
  }
}
