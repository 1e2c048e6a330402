import type { IncomingRefer, ReferProgress } from "../signaling/engine.ts";
import type { CallEnd } from "./call-end.ts";
import { partyOf } from "./refused.ts";
import type { TransferNote } from "./record.ts";
import type { TransferOutcome } from "./transferred-caller.ts";

/** How one transfer goes: told to whoever asked for it, and written into the record of its call. */
export class TransferReport implements TransferOutcome {
  readonly by: TransferNote["by"];
  readonly #refer: IncomingRefer;
  readonly #kind: TransferNote["kind"];
  readonly #to: string;
  readonly #note: (note: TransferNote) => void;
  #progress: ReferProgress | undefined;
  #call: string | undefined;

  constructor(options: {
    readonly refer: IncomingRefer;
    readonly end: CallEnd;
    readonly kind: TransferNote["kind"];
    readonly to: string;
    readonly note: (note: TransferNote) => void;
  }) {
    this.#refer = options.refer;
    this.by = { tag: options.end.leg.tag, ...partyOf(options.end.dialog) };
    this.#kind = options.kind;
    this.#to = options.to;
    this.#note = options.note;
  }

  /**
   * Answers the REFER, once.
   *
   * @param call the id of the call that the transfer makes; undefined: none of ours
   */
  begin(call: string | undefined): void {
    this.#progress ??= this.#refer.accept();
    this.#call = call;
    this.#tell("pending");
  }

  onProgress(status: number): void {
    this.#progress?.notify(status);
  }

  onAnswered(): void {
    this.#tell("done", 200);
    this.#progress?.notify(200);
  }

  onFailed(status: number, reasonPhrase: string | undefined): void {
    this.#tell("failed", status);
    this.#progress?.notify(status, reasonPhrase);
  }

  #tell(result: TransferNote["result"], sipStatus?: number): void {
    this.#note({
      by: this.by,
      kind: this.#kind,
      to: this.#to,
      result,
      ...(sipStatus === undefined ? {} : { sipStatus }),
      ...(this.#call === undefined ? {} : { call: this.#call }),
    });
  }
}
