import { afterEach, describe, expect, it } from "vitest";
import { en, enPlurals } from "../../web-phone/src/i18n/en.ts";
import {
  chooseLanguage,
  type Language,
  LANGUAGES,
  loadLanguage,
  tryParseLanguage,
  useLanguage,
} from "../../web-phone/src/i18n/languages.ts";
import { pseudo } from "../../web-phone/src/i18n/pseudo.ts";
import {
  ENGLISH,
  languageDirection,
  plural,
  type PluralForms,
  setLanguage,
  t,
} from "../../web-phone/src/i18n/text.ts";

const TAGS = Object.keys(LANGUAGES) as Language[];

function namesIn(text: string): readonly string[] {
  return [...text.matchAll(/\{([\w-]+)\}/g)].map(([, name]) => name ?? "").sort();
}

/** Texts that are rightly the same in both languages. */
const SAME = new Set([
  "app.name",
  "end.details.sip",
  "end.details.call-id",
  "call.referral.refuse",
  "contacts.name",
  "call.conference",
  "nav.contacts",
  "contacts.heading",
  "nav.messages",
  "chat.heading",
  "chat.field",
  "devices.microphone",
]);

afterEach(() => {
  setLanguage("en", ENGLISH);
});

describe("every catalogue", () => {
  it.each(TAGS)("%s has every text, with the same names in braces", async (tag) => {
    const { texts } = await loadLanguage(tag);
    expect(Object.keys(texts).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(texts)) {
      expect(text.trim(), key).toBe(text);
      expect(text, key).not.toBe("");
      expect(namesIn(text), key).toEqual(namesIn(en[key as keyof typeof en]));
    }
  });

  it.each(TAGS)("%s has a form for every plural category of its language", async (tag) => {
    const { plurals } = await loadLanguage(tag);
    expect(Object.keys(plurals).sort()).toEqual(Object.keys(enPlurals).sort());
    const { pluralCategories } = new Intl.PluralRules(tag).resolvedOptions();
    for (const [key, forms] of Object.entries<PluralForms>(plurals)) {
      for (const category of pluralCategories) expect(forms[category], key).toBeTypeOf("string");
    }
  });

  it.each(TAGS.filter((tag) => tag !== "en"))("%s leaves nothing in English", async (tag) => {
    const { texts } = await loadLanguage(tag);
    const left = Object.entries(texts).filter(
      ([key, text]) => text === en[key as keyof typeof en] && !SAME.has(key),
    );
    expect(left).toEqual([]);
  });
});

describe("the language of a user", () => {
  it.each<[string, readonly string[], Language]>([
    ["auto", ["de-CH", "en"], "de"],
    ["auto", ["nl", "fr-CA"], "fr"],
    ["auto", ["nl"], "en"],
    ["auto", [], "en"],
    ["ar", ["de"], "ar"],
  ])("%s with %o is %s", (choice, preferred, language) => {
    expect(chooseLanguage(choice as Language, preferred)).toBe(language);
  });

  it("is none that has no catalogue", () => {
    expect(tryParseLanguage("constructor")).toBeUndefined();
    expect(tryParseLanguage("ES-mx")).toBe("es");
  });

  it("changes all texts, plurals and the direction", async () => {
    await useLanguage("ar");
    expect(t("call.answer")).toBe("رد");
    expect(languageDirection()).toBe("rtl");
    expect(plural("contacts.imported", 2)).toBe("أُضيفت جهتا اتصال");
    expect(plural("contacts.imported", 3)).toBe("أُضيفت 3 جهات اتصال");
    await useLanguage("de");
    expect(plural("contacts.imported", 1)).toBe("1 Kontakt hinzugefügt");
    expect(plural("contacts.imported", 1200)).toBe("1.200 Kontakte hinzugefügt");
    expect(languageDirection()).toBe("ltr");
  });

  it("is the one that was asked for last", async () => {
    const first = useLanguage("fr");
    await useLanguage("en");
    await first;
    expect(t("call.answer")).toBe("Answer");
  });
});

describe("the pseudo language", () => {
  it("is 1.4 times as long and keeps the names in braces", () => {
    for (const [key, text] of Object.entries(pseudo.texts)) {
      const plain = en[key as keyof typeof en];
      expect(text.length, key).toBeGreaterThanOrEqual(Math.floor(plain.length * 1.4));
      expect(namesIn(text), key).toEqual(namesIn(plain));
    }
  });
});
