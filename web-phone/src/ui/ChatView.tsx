import { useEffect, useState } from "preact/hooks";
import type { Message } from "../around.ts";
import { formatMoment } from "../i18n/moment.ts";
import { plural, t } from "../i18n/text.ts";
import { cleanNumber } from "../number.ts";
import type { Shell, ShellEvent } from "../shell.ts";
import type { PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { Icon } from "./Icon.tsx";

interface ChatProps {
  readonly state: PhoneState;
  readonly actions: Pick<PhoneActions, "sendMessage" | "readMessages">;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
}

function nameOf(props: ChatProps, peer: string): string {
  const contact = props.shell.contacts.find(({ number }) => number === peer);
  const said = props.state.around.messages.findLast((one) => one.peer === peer && one.name);
  return contact?.name ?? said?.name ?? peer;
}

function stateWordOf(message: Message): string {
  switch (message.state) {
    case "sending":
      return t("chat.sending");
    case "failed":
      return t("chat.failed");
    case "sent":
    case "unread":
    case "read":
      return "";
  }
}

function Thread(props: ChatProps & { readonly peer: string }) {
  const { peer, state, actions, onShell } = props;
  const [text, setText] = useState("");
  const [to, setTo] = useState("");
  const messages = state.around.messages.filter((message) => message.peer === peer);
  const hasUnread = messages.some((message) => message.state === "unread");
  const isNew = peer === "";
  useEffect(() => {
    if (hasUnread) actions.readMessages(peer);
  }, [hasUnread, peer]);
  const addressee = isNew ? cleanNumber(to) : peer;
  const isReady = state.link.kind === "ready";
  return (
    <>
      <div class="aside__tools">
        <button
          type="button"
          class="icon-button"
          aria-label={t("chat.back")}
          title={t("chat.back")}
          data-testid="chat-back"
          onClick={() => onShell({ type: "chat-opened", peer: undefined })}
        >
          <Icon name="back" />
        </button>
        <h2 id="aside-heading" dir="auto">
          {isNew ? t("chat.new") : nameOf(props, peer)}
        </h2>
      </div>
      <ol class="chat" aria-live="polite" data-testid="chat-thread">
        {messages.map((message) => (
          <li
            key={message.id}
            class={`bubble bubble--${message.direction}`}
            data-state={message.state}
          >
            <p dir="auto">{message.text}</p>
            <small>
              {formatMoment(message.at, "time")} {stateWordOf(message)}
            </small>
            {message.state === "failed" ? (
              <button
                type="button"
                class="button button--small"
                disabled={!isReady}
                onClick={() => actions.sendMessage(peer, message.text)}
              >
                {t("chat.retry")}
              </button>
            ) : null}
          </li>
        ))}
      </ol>
      <form
        class="chat__form"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() === "" || addressee === "") return;
          actions.sendMessage(addressee, text.trim());
          setText("");
          if (isNew) onShell({ type: "chat-opened", peer: addressee });
        }}
      >
        {isNew ? (
          <label class="field">
            <span>{t("chat.to")}</span>
            <input
              data-testid="chat-to"
              autocomplete="off"
              inputmode="tel"
              value={to}
              onInput={(event) => setTo(event.currentTarget.value)}
            />
          </label>
        ) : null}
        <textarea
          class="chat__text"
          data-testid="chat-text"
          rows={2}
          dir="auto"
          maxLength={1000}
          aria-label={t("chat.field")}
          placeholder={t("chat.field")}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            event.currentTarget.form?.requestSubmit();
          }}
        />
        <button
          type="submit"
          class="button button--primary button--small"
          data-testid="chat-send"
          disabled={!isReady || text.trim() === "" || addressee === ""}
        >
          {t("chat.send")}
        </button>
      </form>
    </>
  );
}

/** Written messages: who wrote last, and one conversation at a time. */
export function ChatView(props: ChatProps) {
  const { shell, state, onShell } = props;
  if (shell.chatWith !== undefined) return <Thread {...props} peer={shell.chatWith} />;
  const last = new Map<string, Message>();
  for (const message of state.around.messages) {
    last.delete(message.peer);
    last.set(message.peer, message);
  }
  const unread = (peer: string): number =>
    state.around.messages.filter((one) => one.peer === peer && one.state === "unread").length;
  return (
    <>
      <h2 id="aside-heading">{t("chat.heading")}</h2>
      <ul>
        {[...last.values()].reverse().map((message) => (
          <li key={message.peer} class="row">
            <button
              type="button"
              class="recent__call"
              data-testid="chat-peer"
              onClick={() => onShell({ type: "chat-opened", peer: message.peer })}
            >
              <Icon name="message" />
              <span class="recent__who" dir="auto">
                {nameOf(props, message.peer)}
              </span>{" "}
              <span class="recent__when">
                {unread(message.peer) === 0
                  ? formatMoment(message.at, "time")
                  : plural("chat.unread", unread(message.peer))}
              </span>{" "}
              <span class="recent__what chat__last" dir="auto">
                {message.direction === "outgoing"
                  ? t("chat.from-you", { text: message.text })
                  : message.text}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {last.size > 0 ? null : <p class="recent__empty">{t("chat.empty")}</p>}
      <div class="aside__tools aside__tools--end">
        <button
          type="button"
          class="button button--small"
          data-testid="chat-new"
          onClick={() => onShell({ type: "chat-opened", peer: "" })}
        >
          {t("chat.new")}
        </button>
      </div>
    </>
  );
}
