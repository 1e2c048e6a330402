import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n/text.ts";
import type { Call } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { CloseButton } from "./CloseButton.tsx";
import { Icon } from "./Icon.tsx";
import { callerOf, videoNoticeOf } from "./wording.ts";

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

/** What is to be decided or known about pictures. */
function Notice(props: { readonly call: Call; readonly actions: PhoneActions }) {
  const { call, actions } = props;
  const text = videoNoticeOf(call);
  if (text === undefined) return null;
  const isQuestion = call.video.problem === undefined;
  return (
    <div class="notice notice--link video__notice" data-testid="video-notice">
      <Icon name={isQuestion ? "camera" : "warning"} />
      <p>{text}</p>
      {isQuestion ? (
        <div class="line__actions">
          <button
            type="button"
            class="button button--small button--go"
            data-testid="video-show"
            onClick={actions.toggleVideo}
          >
            {t("call.video.show")}
          </button>
          <button
            type="button"
            class="button button--small"
            data-testid="video-not-now"
            onClick={actions.closeVideoNotice}
          >
            {t("call.video.not-now")}
          </button>
          <button
            type="button"
            class="button button--small"
            data-testid="video-decline"
            onClick={actions.declineVideo}
          >
            {t("call.video.decline")}
          </button>
        </div>
      ) : (
        <CloseButton onClick={actions.closeVideoNotice} />
      )}
    </div>
  );
}

/** Theirs large and ours small, each only while it is there. */
export function VideoPane(props: {
  readonly call: Call;
  readonly pictures: Pictures | undefined;
  readonly actions: PhoneActions;
}) {
  const { call, pictures } = props;
  const { isSending } = call.video;
  // Another tab that has the phone has the pictures too.
  const isReceiving = call.video.isReceiving && pictures?.theirs.value !== undefined;
  return (
    <>
      {isReceiving || isSending ? (
        <div class="video" data-testid="video">
          {isReceiving ? (
            <Picture
              stream={pictures?.theirs.value}
              testId="video-theirs"
              label={t("call.video.theirs", { caller: callerOf(call) })}
            />
          ) : null}
          {isSending ? (
            <Picture
              stream={pictures?.mine.value}
              testId="video-mine"
              label={t("call.video.mine")}
              isMine
            />
          ) : null}
        </div>
      ) : null}
      <Notice call={call} actions={props.actions} />
    </>
  );
}
