import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ParserFigures } from "./parsers.ts";
import { formatLineChart } from "./plot.ts";
import type { Series } from "./plot.ts";
import type {
  CallFigures,
  CallStage,
  Cost,
  LiveFigures,
  MemoryFigures,
  Percentiles,
  TransactionFigures,
} from "./stages.ts";

/** Everything that one run has measured. */
export interface Results {
  readonly date: string;
  /** The machine and the versions, as name and value. */
  readonly machine: readonly (readonly [name: string, value: string])[];
  readonly parsers: readonly ParserFigures[];
  readonly memory: readonly MemoryFigures[];
  readonly calls: CallStage;
  readonly transactions: readonly TransactionFigures[];
  readonly live: readonly LiveFigures[];
}

const COLOURS: Readonly<Record<string, string>> = {
  kamailio: "#d97706",
  "kamailio-same": "#b91c1c",
  offhook: "#2563eb",
  floor: "#16a34a",
  direct: "#6b7280",
};
const NAMES: Readonly<Record<string, string>> = {
  kamailio: "Kamailio",
  "kamailio-same": "Kamailio, same work",
  offhook: "Offhook",
  floor: "Node alone",
  direct: "no gateway",
};
/** The number of users at which all rates are measured. */
const USUAL_USERS = 1000;
const DOCS = join(import.meta.dirname, "../docs");

/** Writes docs/performance.md and its plots. @returns the files */
export function writeReport(results: Results): readonly string[] {
  const plots = join(DOCS, "performance");
  mkdirSync(plots, { recursive: true });
  const { live } = results;
  const calls = results.calls.figures.filter(({ users }) => users === USUAL_USERS);
  const gatewaysOnly = calls.filter(({ gateway }) => gateway !== "direct");
  const files: readonly (readonly [string, string])[] = [
    [
      join(plots, "cpu-per-call.svg"),
      formatLineChart({
        title: "CPU time of the signaling, per call",
        x: "calls per second",
        y: "milliseconds",
        series: seriesOf(gatewaysOnly, (figure) => [figure.perSecond, figure.cpu.mean]),
      }),
    ],
    [
      join(plots, "post-dial-delay.svg"),
      formatLineChart({
        title: "INVITE to 180, median",
        x: "calls per second",
        y: "milliseconds",
        series: seriesOf(calls, (figure) => [figure.perSecond, figure.ringing.p50]),
      }),
    ],
    [
      join(plots, "live-calls.svg"),
      formatLineChart({
        title: "CPU time of the signaling per call, while others are up",
        x: "live calls",
        y: "milliseconds",
        series: seriesOf(live, (figure) => [figure.live, figure.cpu.mean]),
      }),
    ],
    [join(DOCS, "performance.md"), formatReport(results)],
  ];
  for (const [file, content] of files) writeFileSync(file, content);
  return files.map(([file]) => file);
}

function seriesOf<Figure extends { readonly gateway: string }>(
  figures: readonly Figure[],
  point: (figure: Figure) => readonly [number, number],
): readonly Series[] {
  return [...new Set(figures.map(({ gateway }) => gateway))].map((gateway) => ({
    name: NAMES[gateway] ?? gateway,
    colour: COLOURS[gateway] ?? "#000",
    points: figures.filter((figure) => figure.gateway === gateway).map(point),
  }));
}

/** The whole page. */
export function formatReport(results: Results): string {
  const { parsers, memory, calls } = results;
  return `${[
    "# Performance",
    "",
    `Written by \`npm run bench\` on ${results.date}; run it to get the figures of your machine. ` +
      "Only ratios of one run mean anything: all of it shared one machine, with the callers, the " +
      "trunk and whatever else that machine did.",
    "",
    ...table(["", ""], results.machine, "left"),
    "",
    "Kamailio runs with [a configuration of ours](../bench/kamailio/kamailio.cfg) for the same " +
      "work: digest sign-in, locations in memory, offer, answer and delete at rtpengine. By itself it " +
      "is a proxy: it keeps no call records, hides no topology and writes no log; Offhook does all " +
      "three. “Kamailio, same work” does them too, with its modules topoh, dialog and acc. " +
      "CPU time is that of all threads and child processes, from the kernel's books. The callers are " +
      "[a generator of ours](../bench/load/) on WebSockets, the trunk is sipp on UDP, which rings " +
      "and answers at once; a call is held for a second. Each gateway has taken the same thousands of " +
      "calls before anything counts; then they take turns, round by round. CPU time is the mean of " +
      "the rounds. While the calls ran, other programs took " +
      `${Math.round(calls.othersShare * 100)} % of this machine's CPU time.`,
    "",
    "Node alone is [a program](../bench/floor.ts) that sends as many packets a call, of the same " +
      "size, to the same peers, and does nothing else: it parses no message, keeps no state, checks, " +
      "times and logs nothing. Nothing on Node can cost less.",
    "",
    "What a call between trunks costs behind drachtio-server 0.9.10, beside the embedded engine, was " +
      "measured apart: [drachtio.md](drachtio.md#what-it-costs).",
    "",
    "## Targets",
    "",
    ...table(["what", "target", "here", ""], targetsOf(results), "left"),
    "",
    "## Calls",
    "",
    "![CPU time per call](performance/cpu-per-call.svg)",
    "",
    ...table(
      [
        "users",
        "calls/s",
        "",
        "completed",
        "signaling CPU",
        "least to most",
        "× Kamailio",
        "rtpengine CPU",
        "180: p50",
        "p95",
        "p99",
        "200: p50",
        "p95",
        "p99",
      ],
      calls.figures.map((figure) => [
        figure.users.toLocaleString("en"),
        String(figure.perSecond),
        NAMES[figure.gateway] ?? figure.gateway,
        `${figure.completed} of ${figure.started}`,
        ...costCells(figure.gateway === "direct" ? undefined : figure.cpu),
        figure.gateway === "direct" ? "" : ratioToKamailio(figure, calls.figures).toFixed(2),
        figure.gateway === "direct" ? "" : `${figure.rtpengineCpu.mean.toFixed(2)} ms`,
        ...cells(figure.ringing),
        ...cells(figure.answer),
      ]),
    ),
    "",
    "CPU is per completed call; delays are milliseconds from the INVITE, seen by the caller.",
    "",
    "![Median of INVITE to 180](performance/post-dial-delay.svg)",
    "",
    "## Memory of idle users",
    "",
    "PSS per signed-in WebSocket user who does nothing, beyond the gateway with nobody signed in. It " +
      "moves with the garbage collector: a part of the growth goes into room that the start has left.",
    "",
    ...table(
      ["users", "", "per user", "gateway alone"],
      memory.map((figure) => [
        figure.users.toLocaleString("en"),
        NAMES[figure.gateway] ?? figure.gateway,
        `${figure.kilobytesPerUser.toFixed(1)} kB`,
        `${(figure.baseKilobytes / 1000).toFixed(0)} MB`,
      ]),
    ),
    "",
    ...formatLive(results),
    "",
    "## Parsers",
    "",
    "One INVITE of a browser with its offer, one process, the best of several rounds. The last " +
      "column: of the messages in RFC 4475 that a parser must refuse, how many it refuses.",
    "",
    ...table(
      ["", "messages/s", "refuses"],
      parsers.map(({ name, perSecond, refused }) => [
        name,
        Math.round(perSecond).toLocaleString("en"),
        refused === undefined ? "" : `${refused.count} of ${refused.of}`,
      ]),
    ),
  ].join("\n")}\n`;
}

/** What a call costs while there are many others, and many transactions. */
export function formatLive({
  live,
  transactions,
}: Pick<Results, "live" | "transactions">): string[] {
  return [
    "## Cost against live calls",
    "",
    "![CPU time per call against live calls](performance/live-calls.svg)",
    "",
    "CPU of the signaling per call at 100 calls/s on top of calls that stay up, on hold, with rtpengine " +
      "holding the media of all of them. It is taken when the transactions that have set them up are over.",
    "",
    ...table(
      ["live calls", "", "signaling CPU", "least to most", "PSS", "SIP transactions"],
      live.map((figure) => [
        figure.live.toLocaleString("en"),
        NAMES[figure.gateway] ?? figure.gateway,
        ...costCells(figure.cpu),
        `${(figure.pssKilobytes / 1000).toFixed(0)} MB`,
        figure.transactions?.toLocaleString("en") ?? "",
      ]),
    ),
    "",
    "## Cost against transactions",
    "",
    "CPU of Offhook per call at 100 calls/s while it remembers OPTIONS of the trunk that it has " +
      "answered: over UDP each stays a transaction for 32 s (RFC 3261 §17.2.2). Kamailio keeps none.",
    "",
    ...table(
      ["OPTIONS before", "SIP transactions", "signaling CPU", "least to most"],
      transactions.map((figure) => [
        figure.waiting.toLocaleString("en"),
        figure.transactions?.toLocaleString("en") ?? "",
        ...costCells(figure.cpu),
      ]),
    ),
  ];
}

/** The targets that this project has set itself, and how this run stands to them. */
export function targetsOf(results: Results): readonly (readonly string[])[] {
  const { parsers, memory, live, transactions } = results;
  const calls = results.calls.figures;
  const at = (gateway: string, perSecond: number): CallFigures | undefined =>
    calls.find(
      (figure) =>
        figure.gateway === gateway &&
        figure.perSecond === perSecond &&
        figure.users === USUAL_USERS,
    );
  const rows: (readonly string[])[] = [];
  const row = (what: string, target: string, here: string, isMet: boolean): void => {
    rows.push([what, target, here, isMet ? "met" : "missed"]);
  };
  const ours = at("offhook", 200)?.cpu.mean ?? Number.NaN;
  const theirs = at("kamailio", 200)?.cpu.mean ?? Number.NaN;
  const same = at("kamailio-same", 200)?.cpu.mean ?? Number.NaN;
  const node = at("floor", 200)?.cpu.mean ?? Number.NaN;
  row(
    "signaling CPU per call at 200 calls/s",
    `Kamailio's with the same work, ${same.toFixed(2)} ms`,
    `${ours.toFixed(2)} ms (${(ours / same).toFixed(2)} times)`,
    ours <= same,
  );
  row(
    "the same, against the mere proxy",
    `Kamailio's, ${theirs.toFixed(2)} ms`,
    `${(ours / theirs).toFixed(2)} times (Node alone ${(node / theirs).toFixed(2)})`,
    ours <= theirs,
  );
  const with100 = at("offhook", 100)?.ringing;
  const without100 = at("direct", 100)?.ringing;
  for (const [name, most] of [
    ["p50", 3],
    ["p99", 15],
  ] as const) {
    const added = (with100?.[name] ?? Number.NaN) - (without100?.[name] ?? Number.NaN);
    row(
      `added post-dial delay at 100 calls/s, ${name}`,
      `${most} ms`,
      `${added.toFixed(2)} ms`,
      added <= most,
    );
  }
  const users = Math.max(...memory.map((figure) => figure.users));
  const perUser =
    memory.find((figure) => figure.gateway === "offhook" && figure.users === users)
      ?.kilobytesPerUser ?? Number.NaN;
  row(
    `memory per idle user at ${users.toLocaleString("en")}`,
    "30 kB",
    `${perUser.toFixed(1)} kB`,
    perUser <= 30,
  );
  const ofOffhook = live.filter(({ gateway }) => gateway === "offhook");
  const mostCalls = Math.max(...live.map((figure) => figure.live)).toLocaleString("en");
  const mostWaiting = Math.max(...transactions.map(({ waiting }) => waiting)).toLocaleString("en");
  for (const [what, costs] of [
    [`cost per call with ${mostCalls} calls up`, ofOffhook],
    [`cost per call with ${mostWaiting} transactions more`, transactions],
  ] as const) {
    const growth =
      ((costs.at(-1)?.cpu.mean ?? Number.NaN) / (costs[0]?.cpu.mean ?? Number.NaN) - 1) * 100;
    const here = `${Math.abs(growth).toFixed(0)} % ${growth < 0 ? "less" : "more"}`;
    row(what, "within 10 %", here, growth <= 10);
  }
  const [parser] = parsers;
  const rate = parser?.perSecond ?? 0;
  row("INVITEs parsed", "100,000/s", `${Math.round(rate).toLocaleString("en")}/s`, rate >= 100_000);
  const strict = parsers
    .slice(1)
    .filter(({ refused }) => refused !== undefined && refused.count === refused.of);
  const fastest = Math.max(...strict.map(({ perSecond }) => perSecond));
  const against = "against the fastest other parser that refuses all of RFC 4475's";
  if (strict.length === 0) rows.push([against, "2 times", "there is none", "no ratio"]);
  else row(against, "2 times", `${(rate / fastest).toFixed(1)} times`, rate >= 2 * fastest);
  return rows;
}

/** How many times Kamailio's CPU time a call took, of the same users and rate. */
function ratioToKamailio(figure: CallFigures, all: readonly CallFigures[]): number {
  const kamailio = all.find(
    ({ gateway, users, perSecond }) =>
      gateway === "kamailio" && users === figure.users && perSecond === figure.perSecond,
  );
  return figure.cpu.mean / (kamailio?.cpu.mean ?? Number.NaN);
}

function costCells(cost: Cost | undefined): readonly string[] {
  if (cost === undefined) return ["", ""];
  const { mean, least, most } = cost;
  return [`${mean.toFixed(2)} ms`, `${least.toFixed(2)} to ${most.toFixed(2)}`];
}

function cells({ p50, p95, p99 }: Percentiles): readonly string[] {
  return [p50, p95, p99].map((value) => value.toFixed(1));
}

/** A table as the formatter of this project prints it: columns padded. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: "left" | "right" = "right",
): readonly string[] {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const isRight = (column: number): boolean =>
    align === "right" &&
    rows.every((row) => /^[\d.,]*( (ms|kB|MB|of \d+|to [\d.]+))?$/.test(row[column] ?? ""));
  const line = (row: readonly string[]): string =>
    `| ${widths
      .map((width, column) => {
        const cell = row[column] ?? "";
        return isRight(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(" | ")} |`;
  const rule = `| ${widths
    .map((width, column) => (isRight(column) ? `${"-".repeat(width - 1)}:` : "-".repeat(width)))
    .join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)];
}
