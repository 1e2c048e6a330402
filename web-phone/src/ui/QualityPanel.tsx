import type { Call } from "../call.ts";
import { formatTag, t } from "../i18n/text.ts";
import { type QualityReading, wordOfMos } from "../quality.ts";
import type { Shell, ShellEvent } from "../shell.ts";

const WIDTH = 300;
const HEIGHT = 64;
const BEST = 4.5;

/** A line from the left to the right, 1 at the bottom and 4.5 at the top. */
function lineOf(readings: readonly QualityReading[], length: number): string {
  const step = WIDTH / Math.max(1, length - 1);
  return readings
    .map(({ mos }, index) => {
      const y = HEIGHT - ((mos - 1) / (BEST - 1)) * HEIGHT;
      return `${index === 0 ? "M" : "L"}${(index * step).toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}

function inUnit(value: number | undefined, unit: "millisecond" | "percent"): string {
  if (value === undefined) return "–";
  const style = unit === "percent" ? { style: "percent" } : { style: "unit", unit };
  return new Intl.NumberFormat(formatTag(), {
    ...style,
    maximumFractionDigits: 1,
  } as Intl.NumberFormatOptions).format(value);
}

/** How the call sounds: a word for everybody, numbers and a graph for whoever opens it. */
export function QualityPanel(props: {
  readonly call: Call;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
}) {
  const { call, shell, onShell } = props;
  const last = call.quality.at(-1);
  if (last === undefined || call.phase !== "connected") return null;
  const recent = call.quality.slice(-5);
  const mean = recent.reduce((sum, { mos }) => sum + mos, 0) / recent.length;
  const word = wordOfMos(mean);
  const rows: readonly (readonly [string, string])[] = [
    [
      t("quality.mos"),
      new Intl.NumberFormat(formatTag(), { maximumFractionDigits: 1 }).format(mean),
    ],
    [t("quality.loss"), inUnit(last.loss, "percent")],
    [t("quality.jitter"), inUnit(last.jitterMs, "millisecond")],
    [t("quality.rtt"), inUnit(last.roundTripMs, "millisecond")],
  ];
  return (
    <details
      class="quality"
      data-testid="quality"
      data-word={word}
      open={shell.isQualityOpen}
      onToggle={(event) => {
        const isOpen = event.currentTarget.open;
        if (isOpen !== shell.isQualityOpen) onShell({ type: "quality-toggled", isOpen });
      }}
    >
      <summary>
        <span class="quality__bars" aria-hidden="true">
          <i />
          <i />
          <i />
        </span>
        {t("quality.label", { word: t(`quality.${word}`) })}
      </summary>
      <svg
        class="quality__graph"
        viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={t("quality.graph")}
      >
        <path class="quality__grid" d={`M0 9H${WIDTH}M0 18H${WIDTH}M0 ${HEIGHT}H${WIDTH}`} />
        <path class="quality__line" d={lineOf(call.quality, Math.max(60, call.quality.length))} />
      </svg>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
