/** The pictures of one call as plain data, and what changes them. Pure. */

/** Why a camera cannot be used. */
export type CameraProblem = "camera-blocked" | "camera-missing" | "camera-busy";

/** Why our pictures do not go out: the camera, or the far end takes none, or the change failed. */
export type VideoProblem = CameraProblem | "refused" | "failed";

/** See the head of this file. */
export interface Video {
  /** Our camera is on for this call. */
  readonly isSending: boolean;
  /** The far end's pictures come. */
  readonly isReceiving: boolean;
  /** A change is on its way. */
  readonly isPending: boolean;
  /** The caller wants to show pictures; of a call that rings. */
  readonly isOffered: boolean;
  /** Whether the user has been asked to show something too: once in a call. */
  readonly question: "unasked" | "open" | "closed";
  readonly problem: VideoProblem | undefined;
}

/** Pictures of a call that has none. */
export const NO_VIDEO: Video = {
  isSending: false,
  isReceiving: false,
  isPending: false,
  isOffered: false,
  question: "unasked",
  problem: undefined,
};

/** What can happen to the pictures of a call. */
export type VideoEvent =
  | { readonly type: "video-asked"; readonly id: string }
  | {
      readonly type: "video-changed";
      readonly id: string;
      readonly isSending: boolean;
      readonly isReceiving: boolean;
    }
  | { readonly type: "video-failed"; readonly id: string; readonly problem: VideoProblem }
  /** The user has read what was asked or told. */
  | { readonly type: "video-notice-closed"; readonly id: string };

/** The pictures after the event. */
export function reduceVideo(video: Video, event: VideoEvent): Video {
  switch (event.type) {
    case "video-asked":
      return { ...video, isPending: true, problem: undefined, question: answered(video) };
    case "video-changed": {
      const { isSending, isReceiving } = event;
      const now = { ...video, isSending, isReceiving, isPending: false };
      if (isSending) return { ...now, question: answered({ ...video, question: "open" }) };
      // On hold theirs stay away for a while: what was asked stays asked.
      const isNew = isReceiving && video.question === "unasked";
      return isNew ? { ...now, question: "open", problem: undefined } : now;
    }
    case "video-failed":
      return { ...video, isPending: false, problem: event.problem };
    case "video-notice-closed":
      return { ...video, problem: undefined, question: answered(video) };
  }
}

function answered({ question }: Video): Video["question"] {
  return question === "open" ? "closed" : question;
}
