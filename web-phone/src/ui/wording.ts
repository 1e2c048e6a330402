/** Sentences that take more than a key: who calls, what an end means, what the link is doing. */
import type { CallEnd, EndAction, EndKind } from "../call-end.ts";
import { endKindOfStatus, formatReason, isQuietEnd } from "../call-end.ts";
import { t } from "../i18n/text.ts";
import { formatDuration } from "../number.ts";
import type { Call, Link, PhoneState, SignInProblem } from "../state.ts";
import { callStateOf, screenOf } from "../state.ts";

/** The name, else the number, else that nobody is named. */
export function callerOf(call: {
  readonly name: string | undefined;
  readonly number: string;
}): string {
  return call.name ?? (call.number === "" ? t("call.unknown") : call.number);
}

export function linkWordOf(link: Link): string {
  return link.kind === "reconnecting"
    ? t("link.reconnecting", { attempt: link.attempt })
    : t(`link.${link.kind}`);
}

export function callWordOf(call: Call): string {
  return t(`call.state.${callStateOf(call)}`);
}

/** What is to be said of the pictures of a call, undefined when all is said. */
export function videoNoticeOf(call: Call): string | undefined {
  const { problem, question, isReceiving } = call.video;
  if (problem !== undefined) return t(`call.video.${problem}`, { caller: callerOf(call) });
  return question === "open" && isReceiving
    ? t("call.video.question", { caller: callerOf(call) })
    : undefined;
}

export function signInProblemTextOf(problem: SignInProblem): string {
  return t(`sign-in.problem.${problem}`);
}

/** Ends with a screen of their own. */
export type LoudEnd = Exclude<
  EndKind,
  "completed" | "cancelled" | "missed" | "answered-elsewhere" | "declined-by-me" | "transferred"
>;

/** Whether this end has a screen of its own. */
export function isLoudEnd(end: CallEnd): end is CallEnd & { readonly kind: LoudEnd } {
  return !isQuietEnd(end.kind);
}

/** Title and text of an end that is explained. */
export function explanationOf(
  kind: LoudEnd,
  call: Pick<Call, "name" | "number">,
): { readonly title: string; readonly text: string } {
  const caller = callerOf(call);
  const title = t(`end.${kind}.title`);
  switch (kind) {
    case "number-not-found":
    case "not-allowed":
      return { title, text: t(`end.${kind}.text`, { number: call.number }) };
    case "no-answer":
    case "busy":
    case "declined":
    case "provider-failed":
    case "connection-lost":
    case "failed":
      return { title, text: t(`end.${kind}.text`, { caller }) };
    case "microphone-blocked":
    case "microphone-missing":
    case "microphone-busy":
    case "sign-in-refused":
    case "audio-mismatch":
    case "server-unreachable":
    case "audio-failed":
      return { title, text: t(`end.${kind}.text`) };
  }
}

/** The line for a call that is over without anything to explain; undefined for the others. */
export function quietEndLineOf(call: Call): string | undefined {
  const caller = callerOf(call);
  const kind = call.end?.kind;
  switch (kind) {
    case "completed": {
      const duration = formatDuration((call.endedAt ?? 0) - (call.answeredAt ?? call.endedAt ?? 0));
      return t("end.completed", { caller, duration });
    }
    case "cancelled":
    case "missed":
    case "answered-elsewhere":
    case "declined-by-me":
    case "transferred":
      return t(`end.${kind}`, { caller });
    default:
      return undefined;
  }
}

/** How far a transfer is, in a sentence. */
export function transferTextOf(transfer: NonNullable<Call["transfer"]>): string {
  switch (transfer.kind) {
    case "picking":
      return t("transfer.heading");
    case "consulting":
      return t("transfer.consulting");
    case "transferring":
      return transfer.status >= 180
        ? t("transfer.ringing", { target: transfer.target })
        : t("transfer.trying", { target: transfer.target });
    case "failed":
      return t("transfer.failed", {
        target: transfer.target,
        reason: transferReasonOf(transfer.status),
      });
  }
}

function transferReasonOf(status: number): string {
  const kind = status === 0 ? "failed" : endKindOfStatus(status);
  return t(`end.${kind === "cancelled" ? "no-answer" : loudOr(kind)}.title`);
}

function loudOr(kind: EndKind): LoudEnd {
  return isLoudEnd({ kind, details: {} }) ? (kind as LoudEnd) : "failed";
}

export function actionWordOf(action: EndAction): string {
  return t(`end.action.${action}`);
}

/** The lines under Details: what was dialled here, and what SIP said; none when SIP said nothing. */
export function detailsOf(call: Call, end: CallEnd): readonly (readonly [string, string])[] {
  const { status, reasonPhrase, reason, callId } = end.details;
  if (status === undefined && reason === undefined && callId === undefined) return [];
  const sip = status === undefined ? undefined : `${status} ${reasonPhrase ?? ""}`.trim();
  const lines: (readonly [string, string | undefined])[] = [
    [t("end.details.number"), call.direction === "outgoing" ? call.number : undefined],
    [t("end.details.sip"), sip],
    [t("end.details.reason"), reason === undefined ? undefined : formatReason(reason)],
    [t("end.details.call-id"), callId],
  ];
  return lines.flatMap(([label, value]) =>
    value === undefined || value === "" ? [] : [[label, value] as const],
  );
}

/** The tab's title. */
export function titleOf(state: PhoneState): string {
  const call = state.call;
  switch (screenOf(state)) {
    case "incoming":
      return call === undefined
        ? t("app.title")
        : t("app.title.ringing", { caller: callerOf(call) });
    case "call":
      return call === undefined
        ? t("app.title")
        : t("app.title.in-call", { caller: callerOf(call) });
    default:
      return t("app.title");
  }
}
