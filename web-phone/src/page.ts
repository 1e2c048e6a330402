/** The page at `/`: nothing but the phone. */
import { mountPhone } from "./main.tsx";

const root = document.querySelector<HTMLElement>("#phone");
if (root !== null) {
  void mountPhone({
    root,
    frame: document.documentElement,
    server: new URL(".", document.baseURI),
    isPage: true,
  });
}
