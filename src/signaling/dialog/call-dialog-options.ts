import type { HeaderField } from "../message/headers.ts";
import type { SipMessage, SipResponse } from "../message/message.ts";
import type { ServerTransaction } from "../transaction/transaction.ts";
import type { DialogState } from "./dialog-state.ts";
import type { Peer } from "./peer.ts";
import type { ReliableProvisionals } from "./reliable-provisionals.ts";
import type { SessionOffer } from "./session-terms.ts";

export interface CallDialogOptions {
  readonly state: DialogState;
  readonly peer: Peer;
  /** The user part of our Contact. */
  readonly contactUser: string;
  readonly remoteAgent: string | undefined;
  /** We sent the INVITE that made the dialog, and so made its Call-ID. */
  readonly ownsCallId: boolean;
  /** The far end's INVITE, or its 2xx to ours. */
  readonly farMessage: SipMessage;
  /** What we have offered or answered so far. */
  readonly localSdp: string | undefined;
  readonly session: SessionOffer;
}

/** A 2xx of ours to the INVITE that makes the dialog. */
export interface Acceptance {
  readonly transaction: ServerTransaction;
  /** Builds the 2xx. @param fields those of the session timer */
  readonly build: (fields: readonly HeaderField[]) => SipResponse;
  /** It carries our offer. */
  readonly isOffer: boolean;
  /** What has been sent reliably before (RFC 3262). */
  readonly reliable: ReliableProvisionals | undefined;
  /** Offered once the dialog is confirmed: the answer that was sent reliably is not this one. */
  readonly nextOffer: string | undefined;
}
