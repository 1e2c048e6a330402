/** What a busy lamp shows of a user; the strongest of all calls counts. */
export type LampState = "terminated" | "early" | "confirmed";

/** A call of the user, without a word about the other party. */
export interface LampDialog {
  readonly id: string;
  readonly direction: "initiator" | "recipient";
  readonly state: LampState;
}

/** The media type (RFC 4235 §4). */
export const DIALOG_INFO = "application/dialog-info+xml";

/**
 * Formats the state of a user's calls (RFC 4235 §4.1), the whole of it.
 *
 * @param entity a SIP URI
 * @param version one more than that of the document before in the same subscription
 */
export function formatDialogInfo(
  entity: string,
  version: number,
  dialogs: readonly LampDialog[],
): string {
  const lines = dialogs.map(
    ({ id, direction, state }) =>
      `<dialog id="${escape(id)}" direction="${direction}"><state>${state}</state></dialog>`,
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="full" entity="${escape(entity)}">`,
    ...lines,
    "</dialog-info>",
    "",
  ].join("\r\n");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
