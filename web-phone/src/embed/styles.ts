/** The phone's styles as one sheet for shadow trees: no `style` element, so any CSP allows it. */
import text from "../styles/phone.css?inline";

let sheet: CSSStyleSheet | undefined;

/** One sheet for all phones of a page. */
export function phoneSheet(): CSSStyleSheet {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
  }
  return sheet;
}
