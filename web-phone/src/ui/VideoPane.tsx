import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n/text.ts";
import type { Call } from "../state.ts";

/** The pictures of the call in the pane. */
export interface Pictures {
  readonly mine: ReadonlySignal<MediaStream | undefined>;
  readonly theirs: ReadonlySignal<MediaStream | undefined>;
}

function Picture(props: {
  readonly stream: MediaStream | undefined;
  readonly testId: string;
  readonly label: string;
  readonly isMine?: boolean;
}) {
  const element = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (element.current !== null) element.current.srcObject = props.stream ?? null;
  }, [props.stream]);
  return (
    // Its sound comes from the call.
    <video
      ref={element}
      class={props.isMine === true ? "video__mine" : "video__theirs"}
      data-testid={props.testId}
      aria-label={props.label}
      autoplay
      playsInline
      muted
    />
  );
}

/** Theirs large and ours small, each only while it is there. */
export function VideoPane(props: { readonly call: Call; readonly pictures: Pictures }) {
  const { isReceiving, isSending } = props.call.video;
  if (!isReceiving && !isSending) return null;
  return (
    <div class="video" data-testid="video">
      {isReceiving ? (
        <Picture
          stream={props.pictures.theirs.value}
          testId="video-theirs"
          label={t("call.meter.theirs")}
        />
      ) : null}
      {isSending ? (
        <Picture
          stream={props.pictures.mine.value}
          testId="video-mine"
          label={t("call.meter.mine")}
          isMine
        />
      ) : null}
    </div>
  );
}
