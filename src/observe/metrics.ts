import { monitorEventLoopDelay } from "node:perf_hooks";
import { callEnded, callRefused, callMedia, type CallMediaFact } from "../call/channels.ts";
import { SEGMENTS, type Segment } from "../call/loss.ts";
import { REFUSED_REASONS, type RefusedReason } from "../call/refused.ts";
import { isChallenge } from "../call/record.ts";
import {
  SECURITY_EVENTS,
  securityFacts,
  type SecurityEvent,
} from "../signaling/dialog/security-facts.ts";
import type { CallRecord, CallResult, QualityView } from "../call/record.ts";
import type { FactChannel } from "../core/channels.ts";
import { anchorAlarms } from "../media/facts.ts";
import { formatMetrics, type Metric, type Sample } from "./exposition.ts";

/** What the gateway is asked at each scrape. */
export interface MetricSources {
  liveCalls(): number;
  /** Contacts of web users. */
  registrations(): number;
  /** SIP over WebSocket connections. */
  webSocketFlows(): number;
  transactions(): number;
  dialogs(): number;
  /** Whether some rtpengine answers. */
  isMediaReady(): boolean;
  /** Every rtpengine, by the name in the configuration. */
  mediaNodes(): Iterable<{ readonly name: string; readonly state: "up" | "down" }>;
  isDraining(): boolean;
  /** How far the heap may grow before all of it is marked, in percent of what lives. */
  heapGrowthPercent(): number;
  /** Timers that calls have set: answer time-outs, grace times. */
  callTimers(): number;
  /** Each trunk of the configuration; undefined where nothing measures it. */
  trunks(): readonly {
    readonly id: string;
    readonly isUp: boolean | undefined;
    readonly isRegistered: boolean | undefined;
  }[];
  isOverloaded(): boolean;
  /** WebSocket upgrades that wait for their turn. */
  waitingConnections(): number;
  /** Bans in force. */
  bans(): number;
  /** Bans made since the start. */
  bansMade(): number;
  /** Requests that were dropped or refused before they cost anything, since the start. */
  dropped(): Readonly<Record<DropCause, number>>;
}

/** Why a request was kept out. */
export type DropCause = "rate-limited" | "banned" | "stranger" | "scanner" | "overload";

const RESULTS: readonly CallResult[] = [
  "success",
  "client_error",
  "server_error",
  "upstream_error",
  "indeterminate",
];

/** Upper bounds in seconds of the histogram of call set-up times. */
const SETUP_BOUNDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60] as const;

/** Upper bounds of what people heard: MOS, lost share, jitter in seconds. */
const MOS_BOUNDS = [1.5, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.4] as const;
const LOSS_BOUNDS = [0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2] as const;
const JITTER_BOUNDS = [0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2] as const;

/** How often the event loop is measured. */
const EVENT_LOOP_RESOLUTION_MS = 10;
const NANOSECONDS = 1e9;

/**
 * The numbers of `GET /metrics`. Listens to finished calls from construction until `close`.
 *
 * Labels take values out of closed sets only (a result, a quantile, the build, a trunk of the
 * configuration), so no caller can make the page grow.
 */
export class Metrics {
  readonly #sources: MetricSources;
  readonly #version: string;
  readonly #unsubscribe: readonly (() => void)[];
  readonly #eventLoop = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS });
  readonly #ended = new Map<CallResult, number>(RESULTS.map((result) => [result, 0]));
  readonly #attacks = new Map<SecurityEvent, number>(SECURITY_EVENTS.map((event) => [event, 0]));
  readonly #refused = new Map<RefusedReason, number>(REFUSED_REASONS.map((reason) => [reason, 0]));
  readonly #setupBuckets: number[] = SETUP_BOUNDS.map(() => 0);
  readonly #mos = new Histogram(MOS_BOUNDS);
  readonly #jitter = new Histogram(JITTER_BOUNDS);
  readonly #loss = new Map<Segment, Histogram>(
    SEGMENTS.map((segment) => [segment, new Histogram(LOSS_BOUNDS)]),
  );
  readonly #media = new Map<CallMediaFact["event"], number>();
  #anchorAlarms = 0;
  #endedCount = 0;
  #setupSeconds = 0;
  #talkSeconds = 0;
  readonly #recordings = { done: 0, failed: 0 };

  /**
   * @param options.version Offhook's version
   * @param options.channel where finished calls are published; default `callEnded`
   */
  constructor(options: {
    readonly sources: MetricSources;
    readonly version: string;
    readonly channel?: FactChannel<CallRecord>;
  }) {
    this.#sources = options.sources;
    this.#version = options.version;
    this.#eventLoop.enable();
    this.#unsubscribe = [
      (options.channel ?? callEnded).subscribe((record) => {
        if (!isChallenge(record)) this.#count(record);
      }),
      securityFacts.subscribe(({ event }) => {
        this.#attacks.set(event, (this.#attacks.get(event) ?? 0) + 1);
      }),
      callRefused.subscribe(({ reason }) => {
        this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
      }),
      callMedia.subscribe(({ event }) => {
        this.#media.set(event, (this.#media.get(event) ?? 0) + 1);
      }),
      anchorAlarms.subscribe(() => {
        this.#anchorAlarms += 1;
      }),
    ];
  }

  /** The page, in Prometheus' text format. The event-loop figures cover the time since the last one. */
  render(): string {
    const text = formatMetrics([...this.#gatewayMetrics(), ...this.#processMetrics()]);
    this.#eventLoop.reset();
    return text;
  }

  /** Ends the measuring. */
  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#eventLoop.disable();
  }

  #count(record: CallRecord): void {
    this.#ended.set(record.result, (this.#ended.get(record.result) ?? 0) + 1);
    const setupSeconds = record.setupMs / 1000;
    this.#countQuality(record.media?.quality);
    this.#endedCount += 1;
    this.#setupSeconds += setupSeconds;
    this.#talkSeconds += record.durationMs / 1000;
    for (const { state } of record.recordings ?? []) {
      this.#recordings[state === "failed" ? "failed" : "done"] += 1;
    }
    for (const [index, bound] of SETUP_BOUNDS.entries()) {
      if (setupSeconds <= bound) {
        this.#setupBuckets[index] = (this.#setupBuckets[index] ?? 0) + 1;
      }
    }
  }

  #countQuality(quality: QualityView | undefined): void {
    for (const { mos, jitterMs } of Object.values(quality?.legs ?? {})) {
      if (mos !== undefined) this.#mos.observe(mos);
      if (jitterMs !== undefined) this.#jitter.observe(jitterMs / 1000);
    }
    for (const { loss } of Object.values(quality?.browsers ?? {})) {
      if (loss === undefined) continue;
      for (const [segment, histogram] of this.#loss) histogram.observe(loss[segment]);
    }
  }

  #qualityMetrics(): readonly Metric[] {
    return [
      {
        name: "offhook_call_mos",
        help: "Mean opinion score of each direction of ended calls, where RTCP told one.",
        type: "histogram",
        samples: this.#mos.samples(),
      },
      {
        name: "offhook_call_jitter_seconds",
        help: "Jitter of each direction of ended calls, where RTCP told one.",
        type: "histogram",
        samples: this.#jitter.samples(),
      },
      {
        name: "offhook_call_loss_ratio",
        help: "Lost share of each part of the way in the last seconds of ended calls of the web phone.",
        type: "histogram",
        samples: Array.from(this.#loss, ([segment, histogram]) =>
          histogram.samples({ segment }),
        ).flat(),
      },
    ];
  }

  #gatewayMetrics(): readonly Metric[] {
    const sources = this.#sources;
    return [
      gauge("offhook_build_info", "Always 1; the labels name the build.", 1, {
        version: this.#version,
        node: process.versions.node,
      }),
      gauge("offhook_calls_active", "Calls in progress.", sources.liveCalls()),
      {
        name: "offhook_security_events_total",
        help: "Attacks inside calls that were refused, by event.",
        type: "counter",
        samples: Array.from(this.#attacks, ([event, value]) => ({ labels: { event }, value })),
      },
      {
        name: "offhook_calls_refused_total",
        help: "Calls that were not placed for what they might cost, or because of a limit, by reason.",
        type: "counter",
        samples: Array.from(this.#refused, ([reason, value]) => ({ labels: { reason }, value })),
      },
      {
        name: "offhook_calls_total",
        help: "Calls that ended, by result.",
        type: "counter",
        samples: Array.from(this.#ended, ([result, value]) => ({ labels: { result }, value })),
      },
      this.#setupHistogram(),
      ...this.#qualityMetrics(),
      counter(
        "offhook_call_talk_seconds_total",
        "Answered time of ended calls.",
        this.#talkSeconds,
      ),
      {
        name: "offhook_recordings_total",
        help: "Recordings of ended calls, by result.",
        type: "counter",
        samples: Object.entries(this.#recordings).map(([result, value]) => ({
          labels: { result },
          value,
        })),
      },
      gauge("offhook_call_timers", "Timers of calls alive.", sources.callTimers()),
      gauge("offhook_registrations", "Contacts of web users.", sources.registrations()),
      gauge("offhook_websocket_flows", "SIP over WebSocket connections.", sources.webSocketFlows()),
      gauge("offhook_sip_transactions", "SIP transactions alive.", sources.transactions()),
      gauge("offhook_sip_dialogs", "SIP dialogs alive.", sources.dialogs()),
      gauge(
        "offhook_rtpengine_up",
        "1 when an rtpengine answers, else 0.",
        Number(sources.isMediaReady()),
      ),
      {
        name: "offhook_trunk_up",
        help: "1 while a trunk answers OPTIONS, else 0; of trunks with ping.",
        type: "gauge",
        samples: trunkSamples(sources.trunks(), "isUp"),
      },
      {
        name: "offhook_trunk_registered",
        help: "1 while a trunk is registered at its peer, else 0; of trunks with register.",
        type: "gauge",
        samples: trunkSamples(sources.trunks(), "isRegistered"),
      },
      gauge(
        "offhook_overloaded",
        "1 while new calls and sign-ins are rationed.",
        Number(sources.isOverloaded()),
      ),
      {
        name: "offhook_sip_dropped_total",
        help: "SIP requests kept out before they cost anything, by cause.",
        type: "counter",
        samples: Object.entries(sources.dropped()).map(([cause, value]) => ({
          labels: { cause },
          value,
        })),
      },
      gauge("offhook_bans", "Addresses that are banned for too many requests.", sources.bans()),
      counter("offhook_bans_total", "Bans for too many requests.", sources.bansMade()),
      gauge(
        "offhook_websocket_waiting",
        "WebSocket upgrades that wait for their turn.",
        sources.waitingConnections(),
      ),
      {
        name: "offhook_rtpengine_node_up",
        help: "1 when this rtpengine answers, else 0.",
        type: "gauge",
        samples: Array.from(sources.mediaNodes(), ({ name, state }) => ({
          labels: { node: name },
          value: Number(state === "up"),
        })),
      },
      {
        name: "offhook_media_moves_total",
        help: "Live calls moved to another rtpengine session, by result.",
        type: "counter",
        samples: [
          { labels: { result: "moved" }, value: this.#media.get("moved") ?? 0 },
          { labels: { result: "failed" }, value: this.#media.get("move-failed") ?? 0 },
        ],
      },
      counter(
        "offhook_media_repairs_total",
        "Calls without DTLS or sound after the answer, negotiated anew.",
        this.#media.get("repaired") ?? 0,
      ),
      counter(
        "offhook_media_timeouts_total",
        "Calls ended because an end was silent for too long.",
        this.#media.get("timed-out") ?? 0,
      ),
      counter(
        "offhook_media_anchor_alarms_total",
        "Times that rtpengine changed its side toward a browser in a call.",
        this.#anchorAlarms,
      ),
      gauge("offhook_draining", "1 while no new call is taken.", Number(sources.isDraining())),
    ];
  }

  #setupHistogram(): Metric {
    const samples: Sample[] = SETUP_BOUNDS.map((bound, index) => ({
      suffix: "_bucket",
      labels: { le: String(bound) },
      value: this.#setupBuckets[index] ?? 0,
    }));
    samples.push(
      { suffix: "_bucket", labels: { le: "+Inf" }, value: this.#endedCount },
      { suffix: "_sum", value: this.#setupSeconds },
      { suffix: "_count", value: this.#endedCount },
    );
    return {
      name: "offhook_call_setup_seconds",
      help: "INVITE to answer or failure, of ended calls.",
      type: "histogram",
      samples,
    };
  }

  #processMetrics(): readonly Metric[] {
    const memory = process.memoryUsage();
    const cpu = process.cpuUsage();
    const loop = this.#eventLoop;
    const quantile = (label: string, percentile: number): Sample => ({
      labels: { quantile: label },
      value: loop.count === 0 ? 0 : loop.percentile(percentile) / NANOSECONDS,
    });
    return [
      counter(
        "process_cpu_seconds_total",
        "CPU time, user and system.",
        (cpu.user + cpu.system) / 1e6,
      ),
      gauge(
        "process_start_time_seconds",
        "Unix time of the start.",
        Math.round(performance.timeOrigin / 1000),
      ),
      gauge("process_resident_memory_bytes", "Resident memory.", memory.rss),
      gauge("nodejs_heap_size_used_bytes", "JavaScript heap in use.", memory.heapUsed),
      gauge("nodejs_heap_size_total_bytes", "JavaScript heap reserved.", memory.heapTotal),
      gauge(
        "offhook_heap_growth_percent",
        "How far the JavaScript heap may grow before all of it is marked.",
        this.#sources.heapGrowthPercent(),
      ),
      gauge("nodejs_external_memory_bytes", "Memory of buffers and the like.", memory.external),
      {
        name: "nodejs_eventloop_delay_seconds",
        help: `Sampled every ${EVENT_LOOP_RESOLUTION_MS} ms since the last scrape; the sampling interval is included.`,
        type: "gauge",
        samples: [quantile("0.5", 50), quantile("0.99", 99), quantile("1", 100)],
      },
    ];
  }
}

/** Counts values below bounds, as Prometheus wants them: cumulative. */
class Histogram {
  readonly #bounds: readonly number[];
  readonly #buckets: number[];
  #count = 0;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#buckets = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#count += 1;
    this.#sum += value;
    for (const [index, bound] of this.#bounds.entries()) {
      if (value <= bound) this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
    }
  }

  samples(labels: Readonly<Record<string, string>> = {}): Sample[] {
    return [
      ...this.#bounds.map((bound, index) => ({
        suffix: "_bucket",
        labels: { ...labels, le: String(bound) },
        value: this.#buckets[index] ?? 0,
      })),
      { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: this.#count },
      { suffix: "_sum", labels, value: this.#sum },
      { suffix: "_count", labels, value: this.#count },
    ];
  }
}

function trunkSamples(
  trunks: ReturnType<MetricSources["trunks"]>,
  key: "isUp" | "isRegistered",
): readonly Sample[] {
  return trunks.flatMap(({ id, [key]: value }) =>
    value === undefined ? [] : [{ labels: { trunk: id }, value: Number(value) }],
  );
}

function gauge(
  name: string,
  help: string,
  value: number,
  labels?: Readonly<Record<string, string>>,
): Metric {
  return {
    name,
    help,
    type: "gauge",
    samples: [labels === undefined ? { value } : { labels, value }],
  };
}

function counter(name: string, help: string, value: number): Metric {
  return { name, help, type: "counter", samples: [{ value }] };
}
