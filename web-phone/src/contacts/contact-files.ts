/** Contacts as files that other programs read and write: vCard (RFC 6350, and 2.1 and 3.0) and CSV. */
import { cleanNumber } from "../number.ts";
import type { Contact } from "./contacts.ts";

/** What a file says of a person. */
export type FoundContact = Pick<Contact, "name" | "number">;

/** Above it a file is no address book that a browser should read at once. */
export const FILE_LIMIT = 4 * 1024 * 1024;

/** RFC 6350 §3.2: a line that begins with a space goes on with the one before. */
function unfoldedLines(text: string): readonly string[] {
  const lines: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/)) {
    if ((line.startsWith(" ") || line.startsWith("\t")) && lines.length > 0) {
      lines[lines.length - 1] += line.slice(1);
    } else {
      lines.push(line);
    }
  }
  return lines;
}

function unescaped(value: string): string {
  return value.replace(/\\([\\,;nN])/g, (_all, character: string) =>
    character.toLowerCase() === "n" ? " " : character,
  );
}

/** `N:Lee;Ann;;;` → `Ann Lee`, for cards that have no FN. */
function nameOfParts(value: string): string {
  const [family = "", given = ""] = value.split(";").map(unescaped);
  return `${given} ${family}`.trim();
}

/** @returns a contact for each number of each card */
export function parseVcards(text: string): readonly FoundContact[] {
  const found: FoundContact[] = [];
  let name = "";
  let parts = "";
  let numbers: string[] = [];
  for (const line of unfoldedLines(text)) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const property = line.slice(0, colon).toUpperCase();
    // `item1.TEL;TYPE=cell`: a group before, parameters behind.
    const key = (property.split(";", 1)[0] ?? "").split(".").pop() ?? "";
    const value = line.slice(colon + 1).trim();
    switch (key) {
      case "BEGIN":
        [name, parts, numbers] = ["", "", []];
        break;
      case "FN":
        name = unescaped(value).trim();
        break;
      case "N":
        parts = value;
        break;
      case "TEL":
        numbers.push(cleanNumber(unescaped(value)));
        break;
      case "END": {
        const who = name === "" ? nameOfParts(parts) : name;
        for (const number of numbers) {
          if (number !== "") found.push({ name: who === "" ? number : who, number });
        }
        break;
      }
      default:
    }
  }
  return found;
}

/** RFC 4180, with `,`, `;` or a tab between fields. */
function parseRows(text: string): readonly (readonly string[])[] {
  const firstLine = text.split("\n", 1)[0] ?? "";
  const separator = [",", ";", "\t"].reduce((best, one) =>
    firstLine.split(one).length > firstLine.split(best).length ? one : best,
  );
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (isQuoted) {
      if (character !== '"') field += character;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else isQuoted = false;
    } else if (character === '"' && field === "") isQuoted = true;
    else if (character === separator) {
      row.push(field);
      field = "";
    } else if (character === "\n") {
      rows.push([...row, field]);
      row = [];
      field = "";
    } else if (character !== "\r") field += character;
  }
  if (field !== "" || row.length > 0) rows.push([...row, field]);
  return rows;
}

const NAME_HEADS = /^(?:name|full ?name|display ?name|nom|nombre|kontakt|الاسم)$/i;
const FIRST_HEADS = /^(?:first ?name|given ?name|vorname|prénom)$/i;
const LAST_HEADS = /^(?:last ?name|family ?name|surname|nachname|apellidos?)$/i;
const NUMBER_HEADS = /phone|number|mobile|tel|nummer|numéro|número|رقم/i;

/** With a row of heads, by their words; without one the first column is the name, the second the number. */
export function parseCsv(text: string): readonly FoundContact[] {
  const rows = parseRows(text.replace(/^\ufeff/, ""));
  const heads = (rows[0] ?? []).map((head) => head.trim());
  const find = (pattern: RegExp): number => heads.findIndex((head) => pattern.test(head));
  const [full, first, last] = [find(NAME_HEADS), find(FIRST_HEADS), find(LAST_HEADS)];
  const isNumberHead = (head: string): boolean => NUMBER_HEADS.test(head) && !/\d{3}/.test(head);
  const numbers = heads.flatMap((head, column) => (isNumberHead(head) ? [column] : []));
  const hasHeads = numbers.length > 0 && (full >= 0 || first >= 0 || last >= 0);
  return rows.slice(hasHeads ? 1 : 0).flatMap((row) => {
    const cell = (column: number): string => (row[column] ?? "").trim();
    const whole = hasHeads ? cell(full) : cell(0);
    const name = whole === "" ? `${cell(first)} ${cell(last)}`.trim() : whole;
    return (hasHeads ? numbers : [1])
      .map((column) => cleanNumber(cell(column)))
      .filter((number) => /\d/.test(number))
      .map((number) => ({ name: name === "" ? number : name, number }));
  });
}

/** By what the text begins with. */
export function parseContactFile(text: string): readonly FoundContact[] {
  return /^\s*\ufeff?BEGIN:VCARD/i.test(text) ? parseVcards(text) : parseCsv(text);
}

function escaped(value: string): string {
  return value.replace(/[\\,;]/g, (character) => `\\${character}`).replace(/[\r\n]+/g, " ");
}

/** vCard 4.0 (RFC 6350). */
export function formatVcards(contacts: readonly FoundContact[]): string {
  return contacts
    .map(({ name, number }) =>
      [
        "BEGIN:VCARD",
        "VERSION:4.0",
        `FN:${escaped(name)}`,
        `TEL:${escaped(number)}`,
        "END:VCARD",
        "",
      ].join("\r\n"),
    )
    .join("");
}
