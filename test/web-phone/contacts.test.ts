import { describe, expect, it } from "vitest";
import {
  formatVcards,
  parseContactFile,
  parseCsv,
  parseVcards,
} from "../../web-phone/src/contacts/contact-files.ts";
import {
  type Contact,
  CONTACTS_LIMIT,
  newContacts,
  parseContacts,
  saveContact,
  searchContacts,
  sortContacts,
} from "../../web-phone/src/contacts/contacts.ts";
import { formatTyped, regionOf } from "../../web-phone/src/contacts/phone-format.ts";

function person(name: string, number: string, id = name): Contact {
  return { id, name, number, isWatched: false };
}

const BOOK = [
  person("Zoë Ångström", "+4670123456"),
  person("bob ray", "1002"),
  person("Ann Lee", "1001"),
  person("Émile Dupont", "+33142685300"),
];

describe("contacts", () => {
  it.each([
    ["", 4],
    ["zoe", 1],
    ["ang zo", 1],
    ["EMILE", 1],
    ["RA", 1],
    ["ay", 0],
    ["1 42 68", 1],
    ["100", 2],
    ["nobody", 0],
  ])("%o finds %d", (query, count) => {
    expect(searchContacts(BOOK, query)).toHaveLength(count);
  });

  it("are sorted as people sort", () => {
    const names = sortContacts(BOOK, "en").map(({ name }) => name);
    expect(names).toEqual(["Ann Lee", "bob ray", "Émile Dupont", "Zoë Ångström"]);
  });

  it("are replaced by id, trimmed, and bounded", () => {
    expect(saveContact(BOOK, person("  Anna ", " 1001 ", "Ann Lee"))?.[2]?.name).toBe("Anna");
    const full = Array.from({ length: CONTACTS_LIMIT }, (_, index) => person("x", "1", `${index}`));
    expect(saveContact(full, person("y", "2"))).toBeUndefined();
    expect(newContacts(full, [{ name: "y", number: "2" }], () => "n")).toEqual([]);
  });

  it("are not imported twice", () => {
    const found = [
      { name: "Ann Lee", number: "1001" },
      { name: "New", number: "5" },
      { name: "New", number: "5" },
    ];
    expect(newContacts(BOOK, found, () => "n")).toHaveLength(1);
  });

  it("are read from storage without what is none", () => {
    expect(parseContacts([BOOK[0], { name: 1 }, null, "x"])).toEqual([BOOK[0]]);
    expect(parseContacts({})).toEqual([]);
  });
});

describe("contact files", () => {
  it("vCards come back as they went out", () => {
    const odd = [
      { name: "Lee; Ann, \\ Dr.", number: "+49301234" },
      { name: "ليلى", number: "1003" },
    ];
    expect(parseVcards(formatVcards(odd))).toEqual(odd);
  });

  it("reads folded lines, groups, several numbers, and cards without FN", () => {
    const text = [
      "BEGIN:VCARD",
      "N:Lee;Ann;;;",
      "item1.TEL;TYPE=work:tel:+49 (0)30",
      "  1234",
      "TEL:1001",
      "END:VCARD",
    ].join("\n");
    expect(parseContactFile(text)).toEqual([
      { name: "Ann Lee", number: "+49301234" },
      { name: "Ann Lee", number: "1001" },
    ]);
  });

  it.each([
    ["Name,Phone\nAnn Lee,1001\n", [{ name: "Ann Lee", number: "1001" }]],
    ["Vorname;Nachname;Telefon\r\nAnn;Lee;030 1234\r\n", [{ name: "Ann Lee", number: "0301234" }]],
    ['"Lee, ""A""",1001', [{ name: 'Lee, "A"', number: "1001" }]],
    [
      "Full Name\tMobile Phone\tHome Phone\nAnn\t1\t2",
      [
        { name: "Ann", number: "1" },
        { name: "Ann", number: "2" },
      ],
    ],
    ["no numbers here", []],
    ["", []],
  ])("reads %o", (text, found) => {
    expect(parseCsv(text)).toEqual(found);
  });
});

describe("numbers as they are typed", () => {
  it.each([
    ["+442079460018", ["en-US"], "+44 20 7946 0018"],
    ["+493012345", ["de"], "+49 30 12345"],
    ["2015550123", ["en-US"], "(201) 555-0123"],
    ["*43", ["en"], "*43"],
    ["ann@example.com", ["en"], "ann@example.com"],
    ["123", ["en-GB"], "123"],
  ])("%s with %o is %s", (typed, languages, shown) => {
    expect(formatTyped(typed, languages)).toBe(shown);
  });

  it("finds the region in a language", () => {
    expect(regionOf(["de", "en-Latn-GB"])).toBe("GB");
    expect(regionOf(["de", "zh-Hant"])).toBeUndefined();
  });
});
