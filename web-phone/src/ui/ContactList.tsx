import { useEffect, useRef, useState } from "preact/hooks";
import {
  type Contact,
  newContacts,
  saveContact,
  searchContacts,
  sortContacts,
} from "../contacts/contacts.ts";
import { languageTag, plural, t } from "../i18n/text.ts";
import type { ContactNotice, Shell, ShellEvent } from "../shell.ts";
import { canCall, type PhoneState } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { Icon } from "./Icon.tsx";
import { MoreButton, useBounded } from "./more.tsx";

interface ContactProps {
  readonly state: PhoneState;
  readonly actions: Pick<PhoneActions, "dial">;
  readonly shell: Shell;
  readonly onShell: (event: ShellEvent) => void;
}

function noticeTextOf(notice: ContactNotice): string {
  switch (notice.kind) {
    case "imported":
      return plural("contacts.imported", notice.count);
    case "import-failed":
      return t("contacts.import-failed");
    case "full":
      return t("contacts.full");
  }
}

function ContactField(props: {
  readonly label: string;
  readonly testId: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly hasFocus?: boolean;
  /** Digits, from left to right in every language. */
  readonly isNumber?: boolean;
}) {
  const { label, testId, value, onValue } = props;
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (props.hasFocus === true) field.current?.focus();
  }, []);
  return (
    <label class="field">
      <span>{label}</span>
      <input
        ref={field}
        data-testid={testId}
        autocomplete="off"
        {...(props.isNumber === true ? ({ inputmode: "tel", dir: "ltr" } as const) : {})}
        required
        maxLength={120}
        value={value}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
    </label>
  );
}

function ContactForm(props: ContactProps & { readonly contact: Contact }) {
  const { contact, shell, onShell } = props;
  const [name, setName] = useState(contact.name);
  const [number, setNumber] = useState(contact.number);
  const [isWatched, setWatched] = useState(contact.isWatched);
  const isKnown = shell.contacts.some(({ id }) => id === contact.id);
  const save = (): void => {
    const contacts = saveContact(shell.contacts, { ...contact, name, number, isWatched });
    if (contacts === undefined) {
      onShell({ type: "contact-notice", notice: { kind: "full" } });
    } else {
      onShell({ type: "contacts-changed", contacts });
    }
  };
  return (
    <form
      class="card"
      aria-label={isKnown ? t("contacts.edit", { name: contact.name }) : t("contacts.add")}
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <ContactField
        label={t("contacts.name")}
        testId="contact-name"
        hasFocus
        value={name}
        onValue={setName}
      />
      <ContactField
        label={t("contacts.number")}
        testId="contact-number"
        isNumber
        value={number}
        onValue={setNumber}
      />
      <label class="check">
        <input
          type="checkbox"
          data-testid="contact-watched"
          checked={isWatched}
          onChange={(event) => setWatched(event.currentTarget.checked)}
        />
        <span>{t("lamps.add")}</span>
      </label>
      <div class="line__actions">
        <button
          type="submit"
          class="button button--primary button--small"
          data-testid="contact-save"
        >
          {t("contacts.save")}
        </button>
        <button
          type="button"
          class="button button--small"
          onClick={() => onShell({ type: "contact-edited", contact: undefined })}
        >
          {t("contacts.cancel")}
        </button>
        {isKnown ? (
          <button
            type="button"
            class="button button--small button--danger"
            data-testid="contact-delete"
            onClick={() =>
              onShell({
                type: "contacts-changed",
                contacts: shell.contacts.filter(({ id }) => id !== contact.id),
              })
            }
          >
            {t("contacts.delete")}
          </button>
        ) : null}
      </div>
    </form>
  );
}

async function writeFile(contacts: readonly Contact[]): Promise<void> {
  const { formatVcards } = await import("../contacts/contact-files.ts");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([formatVcards(contacts)], { type: "text/vcard" }));
  link.download = "contacts.vcf";
  link.click();
  URL.revokeObjectURL(link.href);
}

async function readFile(file: File, props: ContactProps): Promise<void> {
  const { shell, onShell } = props;
  const { FILE_LIMIT, parseContactFile } = await import("../contacts/contact-files.ts");
  const found = file.size > FILE_LIMIT ? [] : parseContactFile(await file.text());
  if (found.length === 0) {
    onShell({ type: "contact-notice", notice: { kind: "import-failed" } });
    return;
  }
  const added = newContacts(shell.contacts, found, () => crypto.randomUUID());
  onShell({ type: "contacts-changed", contacts: [...shell.contacts, ...added] });
  onShell({ type: "contact-notice", notice: { kind: "imported", count: added.length } });
}

function Row(props: ContactProps & { readonly contact: Contact }) {
  const { contact, state, actions, onShell } = props;
  const lamp = contact.isWatched
    ? (state.around.lamps.find(({ number }) => number === contact.number)?.state ?? "unknown")
    : undefined;
  return (
    <li class="row">
      <button
        type="button"
        class="recent__call"
        data-testid="contact"
        disabled={!canCall(state)}
        onClick={() => actions.dial(contact.number)}
      >
        {lamp === undefined ? (
          <Icon name="person" />
        ) : (
          <span class="lamp" data-lamp={lamp} aria-hidden="true" />
        )}
        <span class="visually-hidden">{t("dial.call")} </span>
        <span class="recent__who" dir="auto">
          {contact.name}
        </span>{" "}
        {lamp === undefined ? null : (
          <span class="recent__when" data-testid="lamp" data-lamp={lamp}>
            {t(`lamps.${lamp}`)}
          </span>
        )}{" "}
        <span class="recent__what" dir="ltr">
          {contact.number}
        </span>
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label={t("contacts.edit", { name: contact.name })}
        title={t("contacts.edit", { name: contact.name })}
        onClick={() => onShell({ type: "contact-edited", contact })}
      >
        <Icon name="edit" />
      </button>
    </li>
  );
}

/** People by name, with the lamps of those who are watched. */
export function ContactList(props: ContactProps) {
  const { shell, onShell } = props;
  const file = useRef<HTMLInputElement>(null);
  const { contacts, editing, query, contactNotice } = shell;
  const found = searchContacts(sortContacts(contacts, languageTag()), query);
  const bounded = useBounded(found, query);
  return (
    <>
      <h2 id="aside-heading">{t("contacts.heading")}</h2>
      {editing === undefined ? (
        <>
          <div class="aside__tools">
            <input
              type="search"
              class="search"
              data-testid="contact-search"
              aria-label={t("contacts.search")}
              placeholder={t("contacts.search")}
              value={query}
              onInput={(event) =>
                onShell({ type: "query-changed", query: event.currentTarget.value })
              }
              onKeyDown={(event) => {
                const [first] = found;
                if (event.key !== "Enter" || first === undefined || query === "") return;
                event.preventDefault();
                props.actions.dial(first.number);
              }}
            />
            <button
              type="button"
              class="button button--small"
              data-testid="contact-add"
              onClick={() =>
                onShell({
                  type: "contact-edited",
                  contact: { id: crypto.randomUUID(), name: "", number: "", isWatched: false },
                })
              }
            >
              {t("contacts.add-short")}
            </button>
          </div>
          <ul ref={bounded.list} data-testid="contact-list">
            {bounded.shown.map((contact) => (
              <Row key={contact.id} {...props} contact={contact} />
            ))}
          </ul>
          {bounded.left === 0 ? null : (
            <div class="aside__tools aside__tools--end">
              <MoreButton bounded={bounded} />
            </div>
          )}
          {found.length > 0 ? null : (
            <p class="recent__empty">
              {query === "" ? t("contacts.empty") : t("contacts.none-found", { query })}
            </p>
          )}
        </>
      ) : (
        <ContactForm key={editing.id} {...props} contact={editing} />
      )}
      <p class="aside__notice" role="status" data-testid="contact-notice">
        {contactNotice === undefined ? "" : noticeTextOf(contactNotice)}
      </p>
      <div class="aside__tools aside__tools--end">
        <input
          ref={file}
          type="file"
          hidden
          data-testid="contact-file"
          aria-label={t("contacts.import")}
          accept=".vcf,.csv,text/vcard,text/csv"
          onChange={(event) => {
            const [first] = event.currentTarget.files ?? [];
            if (first !== undefined) void readFile(first, props);
            event.currentTarget.value = "";
          }}
        />
        <button
          type="button"
          class="button button--small"
          data-testid="contact-import"
          onClick={() => file.current?.click()}
        >
          {t("contacts.import")}
        </button>
        <button
          type="button"
          class="button button--small"
          data-testid="contact-export"
          disabled={contacts.length === 0}
          onClick={() => void writeFile(contacts)}
        >
          {t("contacts.export")}
        </button>
      </div>
    </>
  );
}
