import { plural, t } from "../i18n/text.ts";
import type { Shell, ShellEvent, View } from "../shell.ts";
import type { PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { Icon, type IconName } from "./Icon.tsx";
import { ChatView, ContactList } from "./late-views.ts";
import { RecentList } from "./RecentList.tsx";

const ICONS: Readonly<Record<View, IconName>> = {
  recent: "clock",
  contacts: "person",
  messages: "message",
};
const VIEWS: readonly View[] = ["recent", "contacts", "messages"];

/** How many messages nobody has read. */
function unreadOf(state: PhoneState): number {
  return state.around.messages.filter((message) => message.state === "unread").length;
}

/** What stands beside the pane, or below it where there is no room: recents, contacts, messages. */
export function Aside(props: {
  readonly state: PhoneState;
  readonly now: number;
  readonly actions: PhoneActions;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
}) {
  const { state, shell, onShell } = props;
  const unread = unreadOf(state);
  const voicemail = state.around.voicemail?.waiting ?? 0;
  return (
    <aside class="recent" aria-labelledby="aside-heading">
      <nav class="tabs" aria-label={t("nav.label")}>
        {VIEWS.map((view) => (
          <button
            key={view}
            type="button"
            class="tabs__one"
            data-testid={`view-${view}`}
            aria-current={shell.view === view ? "true" : undefined}
            onClick={(event) => {
              onShell({ type: "view-chosen", view });
              // On a small screen it stands below the pane.
              event.currentTarget.closest(".recent")?.scrollIntoView({ block: "nearest" });
            }}
          >
            <Icon name={ICONS[view]} />
            <span>{t(`nav.${view}`)}</span>
            {view === "messages" && unread > 0 ? (
              <>
                {" "}
                <span class="count" title={plural("chat.unread", unread)}>
                  {unread}
                </span>
              </>
            ) : null}
          </button>
        ))}
      </nav>
      {voicemail === 0 ? null : (
        <p class="voicemail" role="status" data-testid="voicemail">
          <Icon name="voicemail" />
          <span>{plural("voicemail.new", voicemail)}</span>
        </p>
      )}
      {shell.view === "recent" ? <RecentList {...props} /> : null}
      {shell.view === "contacts" ? <ContactList {...props} /> : null}
      {shell.view === "messages" ? <ChatView {...props} /> : null}
    </aside>
  );
}
