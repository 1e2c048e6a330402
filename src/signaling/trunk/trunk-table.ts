import type { SipRequest } from "../message/message.ts";
import type { ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import type { TrunkState } from "./channels.ts";
import { OptionsPing } from "./options-ping.ts";
import { Trunk } from "./trunk.ts";
import type { TargetView, TrunkContext, TrunkOptions } from "./trunk.ts";

export interface TrunkTableOptions extends TrunkContext {
  /** In the order of preference where an address fits several. */
  readonly trunks: readonly (TrunkOptions & {
    /** Interval of OPTIONS; undefined: none. */
    readonly pingMs?: number;
  })[];
  /** Our URI in the From of OPTIONS. */
  readonly fromUri: (flow: Flow) => string;
  readonly send: (request: SipRequest, flow: Flow, handler: ClientTransactionHandler) => unknown;
}

/** All trunks: by id for calls that go out, by address for calls that come in. */
export class TrunkTable {
  readonly #trunks = new Map<string, Trunk>();
  readonly #pings = new Map<string, OptionsPing>();

  /** @throws SipParseError when a peer is no SIP URI */
  constructor(options: TrunkTableOptions) {
    for (const own of options.trunks) {
      const trunk = new Trunk(options, own);
      this.#trunks.set(own.id, trunk);
      if (own.pingMs === undefined) continue;
      const { clock, fromUri, send } = options;
      const ping = new OptionsPing({ clock, fromUri, send, trunk, intervalMs: own.pingMs });
      this.#pings.set(own.id, ping);
    }
  }

  get(id: string): Trunk | undefined {
    return this.#trunks.get(id);
  }

  /**
   * The trunk that a flow belongs to, by its address: of several the one whose name the far end's
   * certificate proves, else the one whose peer listens right there, else the first.
   */
  byFlow({ remote, peerNames }: Flow): Trunk | undefined {
    const here = [...this.#trunks.values()].filter((trunk) => trunk.accepts(remote.host));
    if (here.length < 2) return here[0];
    const proved =
      peerNames === undefined ? undefined : here.find((trunk) => trunk.isNamedBy(peerNames));
    return proved ?? here.find((trunk) => trunk.listensAt(remote)) ?? here[0];
  }

  /** Whether what comes from this address comes from a trunk. */
  accepts(host: string): boolean {
    for (const trunk of this.#trunks.values()) if (trunk.accepts(host)) return true;
    return false;
  }

  /** The servers of a trunk's peer; none of a trunk that does not exist. */
  targetsOf(id: string): readonly TargetView[] {
    return this.#trunks.get(id)?.targetViews ?? [];
  }

  stateOf(id: string): TrunkState {
    return this.#pings.get(id)?.state ?? "unknown";
  }

  /** Looks all names up, then begins to ask with OPTIONS. */
  async start(): Promise<void> {
    await Promise.all([...this.#trunks.values()].map((trunk) => trunk.start()));
    for (const ping of this.#pings.values()) ping.start();
  }

  stop(): void {
    for (const trunk of this.#trunks.values()) trunk.stop();
    for (const ping of this.#pings.values()) ping.stop();
  }
}
