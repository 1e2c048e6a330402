import { describe, expect, it, onTestFinished } from "vitest";
import type { CallRecord } from "../../src/call/record.ts";
import { callMedia } from "../../src/call/channels.ts";
import { FactChannel } from "../../src/core/channels.ts";
import { anchorAlarms } from "../../src/media/facts.ts";
import { formatMetrics } from "../../src/observe/exposition.ts";
import { Metrics, type MetricSources } from "../../src/observe/metrics.ts";
import { callRecord } from "./call-record-fixture.ts";

function measured(name: string, changes: Partial<MetricSources> = {}) {
  const channel = new FactChannel<CallRecord>(`test:metrics.${name}`);
  const sources: MetricSources = {
    liveCalls: () => 3,
    registrations: () => 5,
    webSocketFlows: () => 4,
    transactions: () => 2,
    dialogs: () => 6,
    isMediaReady: () => true,
    isDraining: () => false,
    mediaNodes: () => [
      { name: "10.0.0.5:22222", state: "up" },
      { name: "10.0.0.6:22222", state: "down" },
    ],
    callTimers: () => 0,
    heapGrowthPercent: () => 60,
    isOverloaded: () => false,
    trunks: () => [],
    waitingConnections: () => 7,
    bans: () => 8,
    bansMade: () => 9,
    dropped: () => ({ "rate-limited": 1, banned: 2, stranger: 3, scanner: 4, overload: 5 }),
    ...changes,
  };
  const metrics = new Metrics({ sources, version: "1.2.3", channel });
  onTestFinished(() => {
    metrics.close();
  });
  return { channel, metrics };
}

/** `name{labels}` → value; fails on a line that is not of the format. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  expect(text.endsWith("\n")).toBe(true);
  for (const line of text.slice(0, -1).split("\n")) {
    if (line.startsWith("# ")) {
      expect(line).toMatch(/^# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram|summary))$/);
      continue;
    }
    const match = /^([a-z_]+(?:\{(?:[a-z_]+="[^"\n]*",?)*\})?) (\S+)$/.exec(line);
    expect(match, line).not.toBeNull();
    const name = match?.[1] ?? "";
    expect(samples.has(name), `${name} stands twice`).toBe(false);
    samples.set(name, Number(match?.[2]));
  }
  return samples;
}

describe("Metrics", () => {
  it("counts what happens to the media of calls, and shows each rtpengine", () => {
    const { metrics } = measured("media");
    const facts = ["moved", "moved", "move-failed", "repaired", "timed-out"] as const;
    for (const event of facts) callMedia.publish({ call: "c", event, detail: "why" });
    anchorAlarms.publish({ session: "s", node: "n", leg: "caller", changed: ["port"] });
    expect(Object.fromEntries(parse(metrics.render()))).toMatchObject({
      'offhook_rtpengine_node_up{node="10.0.0.5:22222"}': 1,
      'offhook_rtpengine_node_up{node="10.0.0.6:22222"}': 0,
      'offhook_media_moves_total{result="moved"}': 2,
      'offhook_media_moves_total{result="failed"}': 1,
      offhook_media_repairs_total: 1,
      offhook_media_timeouts_total: 1,
      offhook_media_anchor_alarms_total: 1,
    });
  });

  it("shows the gateway's live numbers", () => {
    const { metrics } = measured("live");
    const samples = parse(metrics.render());
    expect(Object.fromEntries(samples)).toMatchObject({
      offhook_calls_active: 3,
      offhook_registrations: 5,
      offhook_websocket_flows: 4,
      offhook_sip_transactions: 2,
      offhook_sip_dialogs: 6,
      offhook_rtpengine_up: 1,
      offhook_draining: 0,
      offhook_overloaded: 0,
      offhook_websocket_waiting: 7,
      offhook_bans: 8,
      offhook_bans_total: 9,
      'offhook_sip_dropped_total{cause="scanner"}': 4,
      'offhook_sip_dropped_total{cause="overload"}': 5,
      [`offhook_build_info{version="1.2.3",node="${process.versions.node}"}`]: 1,
    });
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(samples.get('nodejs_eventloop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(
      0,
    );
  });

  it("says so when no rtpengine answers and while draining", () => {
    const { metrics } = measured("down", { isMediaReady: () => false, isDraining: () => true });
    const samples = parse(metrics.render());
    expect(samples.get("offhook_rtpengine_up")).toBe(0);
    expect(samples.get("offhook_draining")).toBe(1);
  });

  it("counts ended calls by result, every result from the start", () => {
    const { channel, metrics } = measured("results");
    channel.publish(callRecord());
    channel.publish(callRecord());
    channel.publish(callRecord({ result: "client_error", durationMs: 0, setupMs: 12_000 }));
    const samples = parse(metrics.render());
    expect(samples.get('offhook_calls_total{result="success"}')).toBe(2);
    expect(samples.get('offhook_calls_total{result="client_error"}')).toBe(1);
    expect(samples.get('offhook_calls_total{result="server_error"}')).toBe(0);
    expect(samples.get("offhook_call_talk_seconds_total")).toBe(120);
  });

  it("keeps a cumulative histogram of set-up times", () => {
    const { channel, metrics } = measured("setup");
    for (const setupMs of [50, 400, 400, 90_000]) channel.publish(callRecord({ setupMs }));
    const samples = parse(metrics.render());
    const bucket = (bound: string) =>
      samples.get(`offhook_call_setup_seconds_bucket{le="${bound}"}`);
    expect([bucket("0.1"), bucket("0.25"), bucket("0.5"), bucket("60"), bucket("+Inf")]).toEqual([
      1, 1, 3, 3, 4,
    ]);
    expect(samples.get("offhook_call_setup_seconds_count")).toBe(4);
    expect(samples.get("offhook_call_setup_seconds_sum")).toBeCloseTo(90.85);
  });

  it("stops counting when it is closed", () => {
    const { channel, metrics } = measured("closed");
    metrics.close();
    channel.publish(callRecord());
    expect(channel.hasSubscribers).toBe(false);
    expect(parse(metrics.render()).get('offhook_calls_total{result="success"}')).toBe(0);
  });
});

describe("formatMetrics", () => {
  it("escapes label values and help, and spells out values that are no finite number", () => {
    const text = formatMetrics([
      {
        name: "x_total",
        help: "first\nsecond \\",
        type: "counter",
        samples: [
          { labels: { name: 'a"b\\c\nd' }, value: 1.5 },
          { value: Infinity },
          { value: -Infinity },
          { value: Number.NaN },
        ],
      },
    ]);
    expect(text.split("\n")).toEqual([
      "# HELP x_total first\\nsecond \\\\",
      "# TYPE x_total counter",
      'x_total{name="a\\"b\\\\c\\nd"} 1.5',
      "x_total +Inf",
      "x_total -Inf",
      "x_total NaN",
      "",
    ]);
  });
});
