import { formatSocketAddress } from "../../core/address.ts";
import { randomToken } from "../../core/ids.ts";
import { buildRequest } from "../message/build.ts";
import type { SipRequest } from "../message/message.ts";
import type { ClientTransactionHandler } from "../transaction/transaction.ts";
import type { CarriedFlow } from "./flow.ts";

/**
 * Whether a far end is there. drachtio-server keeps a `100 Trying` to itself, so an INVITE that
 * nobody takes and one that the far end works on look alike. OPTIONS tells them apart; one question
 * at a time goes to each far end.
 */
export class Questions {
  readonly #send: (request: SipRequest, flow: CarriedFlow, to: ClientTransactionHandler) => void;
  readonly #open = new Map<CarriedFlow, (() => void)[]>();

  constructor(
    send: (request: SipRequest, flow: CarriedFlow, to: ClientTransactionHandler) => void,
  ) {
    this.#send = send;
  }

  /** Asks. @param onAnswer the far end is there; never called when it says nothing */
  ask(flow: CarriedFlow, onAnswer: () => void): void {
    const waiting = this.#open.get(flow);
    if (waiting !== undefined) {
      waiting.push(onAnswer);
      return;
    }
    this.#open.set(flow, [onAnswer]);
    const end = (): readonly (() => void)[] => {
      const all = this.#open.get(flow) ?? [];
      this.#open.delete(flow);
      return all;
    };
    this.#send(optionsTo(flow), flow, {
      onResponse: () => {
        for (const tell of end()) tell();
      },
      onTimeout: end,
      onTransportError: end,
    });
  }
}

function optionsTo(flow: CarriedFlow): SipRequest {
  const remote = `sip:${formatSocketAddress(flow.remote)}`;
  return buildRequest({
    method: "OPTIONS",
    requestUri: remote,
    headers: [
      ["Max-Forwards", "70"],
      ["From", `<sip:${flow.sentBy}>;tag=${randomToken(8)}`],
      ["To", `<${remote}>`],
      ["Call-ID", randomToken(18)],
      ["CSeq", "1 OPTIONS"],
      ["Accept", "application/sdp"],
    ],
  });
}
