import type { SipMessage, SipRequest } from "../message/message.ts";
import type { ClientTransaction, ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";

/** What dialogs need of the transaction layer. */
export interface Transactions {
  request(request: SipRequest, flow: Flow, handler: ClientTransactionHandler): ClientTransaction;
  sendStateless<Message extends SipMessage>(message: Message, flow: Flow): Message;
}
