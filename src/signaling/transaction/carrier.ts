import type { SipMessage, SipRequest } from "../message/message.ts";
import type { Flow } from "../transport/flow.ts";
import type {
  ClientTransaction,
  ClientTransactionHandler,
  ServerTransaction,
} from "./transaction.ts";

/**
 * A stack of somebody else's that runs whole transactions for us, with its own timers and sockets:
 * drachtio-server. The transaction layer gives it what goes over its flows.
 */
export interface TransactionCarrier {
  carries(flow: Flow): boolean;
  /** As `TransactionLayer.request`. */
  request(request: SipRequest, flow: Flow, handler: ClientTransactionHandler): ClientTransaction;
  /** As `TransactionLayer.sendStateless`; a response belongs to the request that is handed up now. */
  sendStateless(message: SipMessage, flow: Flow): void;
  /** The transaction of a request that is handed up now. */
  accept(request: SipRequest): ServerTransaction | undefined;
  /** The INVITE without a final response that a CANCEL is about. */
  inviteOf(cancel: SipRequest): ServerTransaction | undefined;
  readonly counts: { readonly client: number; readonly server: number };
  close(): void;
}
