import { buildRequest } from "../message/build.ts";
import { Headers } from "../message/headers.ts";
import type { CarriedDialog } from "./dialogs.ts";
import { cancelText, dialogRequestText, lateByeText } from "./texts.ts";

/** For each server. */
const MAX_COMMANDS = 5000;
const REASON = ["Reason", 'SIP;cause=503;text="The gateway lost drachtio-server"'] as const;

/** A command that ends something. */
export interface Ending {
  readonly text: string;
  /** When the server knows nothing of it, because it has been restarted. */
  readonly otherwise?: string | undefined;
}

/** What is still going on in a drachtio-server after its connection was lost, and how it is ended. */
export class Orphans {
  readonly #commands = new Map<string, Ending[]>();

  /** A dialog: BYE by its id. */
  addDialog(server: string, dialog: CarriedDialog): void {
    const bye = buildRequest({
      method: "BYE",
      requestUri: "sip:placeholder",
      headers: [REASON],
    });
    const late = lateByeText(dialog, dialog.flow.route, REASON[1]);
    this.#add(server, dialogRequestText(bye, dialog.id), late);
  }

  /** An INVITE of ours that rings: CANCEL by its id. */
  addInvite(server: string, transactionId: string | undefined): void {
    if (transactionId === undefined) return;
    this.#add(server, cancelText(transactionId, Headers.of([REASON])));
  }

  /** A call that waits for our answer: 503. */
  addUnanswered(server: string, transactionId: string | undefined): void {
    if (transactionId === undefined) return;
    const lines = ["SIP/2.0 503 Service Unavailable", REASON.join(": "), "", ""];
    this.#add(server, [`sip|${transactionId}|`, ...lines].join("\r\n"));
  }

  /** The commands that end what a server has of ours. */
  take(server: string): readonly Ending[] {
    const commands = this.#commands.get(server) ?? [];
    this.#commands.delete(server);
    return commands;
  }

  #add(server: string, text: string | undefined, otherwise?: string): void {
    if (text === undefined) return;
    const commands = this.#commands.get(server) ?? [];
    if (commands.length < MAX_COMMANDS) commands.push({ text, otherwise });
    this.#commands.set(server, commands);
  }
}
