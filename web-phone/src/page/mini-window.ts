/** A small window that stays above all others, with the phone in it (Document Picture-in-Picture). */

interface PictureInPicture {
  requestWindow(options: { readonly width: number; readonly height: number }): Promise<Window>;
}

function pictureInPicture(): PictureInPicture | undefined {
  return Reflect.get(window, "documentPictureInPicture") as PictureInPicture | undefined;
}

/** Whether this browser has such windows. */
export function hasMiniWindow(): boolean {
  return pictureInPicture() !== undefined;
}

/**
 * Opens it; to be called in a click.
 *
 * @param fill puts the phone into the window's root element, and gives back what takes it out
 */
export async function openMiniWindow(fill: (root: HTMLElement) => () => void): Promise<void> {
  const opened = await pictureInPicture()?.requestWindow({ width: 360, height: 560 });
  if (opened === undefined) return;
  const { document: inside } = opened;
  inside.documentElement.lang = document.documentElement.lang;
  inside.documentElement.dir = document.documentElement.dir;
  const { theme } = document.documentElement.dataset;
  if (theme !== undefined) inside.documentElement.dataset["theme"] = theme;
  for (const sheet of document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")) {
    const link = inside.createElement("link");
    link.rel = "stylesheet";
    link.href = sheet.href;
    inside.head.append(link);
  }
  const root = inside.createElement("div");
  root.id = "phone";
  inside.body.append(root);
  const empty = fill(root);
  opened.addEventListener("pagehide", empty, { once: true });
}
