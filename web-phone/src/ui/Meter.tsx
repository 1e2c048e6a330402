import { type ReadonlySignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";

/** A loudness bar. It moves ten times a second without drawing the screen anew. */
export function Meter(props: {
  readonly label: string;
  readonly level: ReadonlySignal<number>;
  /** Where words beside the bar say it already. */
  readonly isLabelHidden?: boolean;
}) {
  const bar = useRef<HTMLDivElement>(null);
  const { level } = props;
  useSignalEffect(() => {
    const percent = Math.round(level.value * 100);
    bar.current?.style.setProperty("--level", `${percent}%`);
    bar.current?.setAttribute("aria-valuenow", String(percent));
  });
  return (
    <div class="meter">
      {props.isLabelHidden === true ? null : <span class="meter__label">{props.label}</span>}
      <div
        ref={bar}
        class="meter__bar"
        role="meter"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={0}
      />
    </div>
  );
}
