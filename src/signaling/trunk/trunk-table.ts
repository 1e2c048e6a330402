import type { Transactions } from "../dialog/transactions.ts";
import type { SipRequest } from "../message/message.ts";
import type { SipUri } from "../message/uri.ts";
import type { ClientTransactionHandler } from "../transaction/transaction.ts";
import type { Flow } from "../transport/flow.ts";
import type { TrunkState } from "./channels.ts";
import { OptionsPing } from "./options-ping.ts";
import type { PingView } from "./options-ping.ts";
import { Registration } from "./registration.ts";
import type { RegistrationAccount, RegistrationView } from "./registration.ts";
import { Trunk } from "./trunk.ts";
import type { TargetView, TrunkContext, TrunkOptions } from "./trunk.ts";
import type { TrunkChallenges } from "./trunk-peer.ts";

export interface TrunkTableOptions extends TrunkContext {
  /** In the order of preference where an address fits several. */
  readonly trunks: readonly (TrunkOptions & {
    /** Interval of OPTIONS; undefined: none. */
    readonly pingMs?: number;
    /** Questions without an answer until the trunk is down. Default 3. */
    readonly pingMisses?: number;
    /** Answered ones until it is up again. Default 2. */
    readonly pingHits?: number;
    /** Its account at the peer; undefined: it does not register. */
    readonly register?: RegistrationAccount & { readonly challenges: TrunkChallenges };
  })[];
  /** Our URI in the From of OPTIONS. */
  readonly fromUri: (flow: Flow) => string;
  readonly send: (request: SipRequest, flow: Flow, handler: ClientTransactionHandler) => unknown;
  readonly transactions: Transactions;
}

const NO_HOSTS: readonly string[] = [];

/** All trunks: by id for calls that go out, by address for calls that come in. */
export class TrunkTable {
  readonly #trunks = new Map<string, Trunk>();
  readonly #pings = new Map<string, OptionsPing>();
  readonly #registrations = new Map<string, Registration>();

  /** @throws SipParseError when a peer is no SIP URI */
  constructor(options: TrunkTableOptions) {
    for (const own of options.trunks) {
      const trunk = new Trunk(options, own);
      this.#trunks.set(own.id, trunk);
      const { clock, logger, fromUri, send, transactions, random } = options;
      const { pingMs, pingMisses = 3, pingHits = 2, register } = own;
      if (register !== undefined) {
        const common = { clock, logger, trunk, transactions, random };
        const { challenges, ...account } = register;
        this.#registrations.set(own.id, new Registration({ ...common, account, challenges }));
      }
      if (pingMs === undefined) continue;
      const ping = new OptionsPing({
        clock,
        fromUri,
        send,
        trunk,
        intervalMs: pingMs,
        missesToDown: pingMisses,
        hitsToUp: pingHits,
        onBack: () => this.#registrations.get(own.id)?.onPeerBack(),
      });
      this.#pings.set(own.id, ping);
    }
  }

  get(id: string): Trunk | undefined {
    return this.#trunks.get(id);
  }

  /**
   * The trunk that a flow belongs to, by its address: of several the one whose name the far end's
   * certificate proves, else the one to whose registration the request was sent, else the one whose
   * peer listens right there, else the first.
   */
  byFlow({ remote, peerNames }: Flow, requestUri?: SipUri): Trunk | undefined {
    const here = [...this.#trunks.values()].filter((trunk) => trunk.accepts(remote.host));
    if (here.length < 2) return here[0];
    const proved =
      peerNames === undefined ? undefined : here.find((trunk) => trunk.isNamedBy(peerNames));
    const registered = requestUri === undefined ? undefined : this.#registeredAs(here, requestUri);
    return proved ?? registered ?? here.find((trunk) => trunk.listensAt(remote)) ?? here[0];
  }

  /** Whether a Request-URI names the account that this trunk registered, and no number. */
  isAccountOf(id: string, uri: SipUri): boolean {
    return this.#registrations.get(id)?.isAccount(uri) ?? false;
  }

  registrationOf(id: string): RegistrationView | undefined {
    return this.#registrations.get(id)?.view;
  }

  /** Removes all registrations; resolves when each has an outcome. */
  async unregister(): Promise<void> {
    await Promise.all([...this.#registrations.values()].map((each) => each.unregister()));
  }

  onFlowClosed(flow: Flow): void {
    for (const registration of this.#registrations.values()) registration.onFlowClosed(flow);
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

  /** The addresses of those servers; the same array until there are others. */
  hostsOf(id: string): readonly string[] {
    return this.#trunks.get(id)?.targetHosts ?? NO_HOSTS;
  }

  stateOf(id: string): TrunkState {
    return this.#pings.get(id)?.state ?? "unknown";
  }

  /** What OPTIONS tells; undefined of a trunk without. */
  pingOf(id: string): PingView | undefined {
    return this.#pings.get(id)?.view;
  }

  #registeredAs(trunks: readonly Trunk[], uri: SipUri): Trunk | undefined {
    const fits = trunks.map((trunk) => this.#registrations.get(trunk.id)?.fit(uri));
    const byLine = fits.indexOf("line");
    return trunks[byLine >= 0 ? byLine : fits.indexOf("user")];
  }

  /** Looks all names up, then registers and begins to ask with OPTIONS. */
  async start(): Promise<void> {
    await Promise.all([...this.#trunks.values()].map((trunk) => trunk.start()));
    for (const registration of this.#registrations.values()) registration.start();
    for (const ping of this.#pings.values()) ping.start();
  }

  stop(): void {
    for (const trunk of this.#trunks.values()) trunk.stop();
    for (const ping of this.#pings.values()) ping.stop();
    for (const registration of this.#registrations.values()) registration.stop();
  }
}
