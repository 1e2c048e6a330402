import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

// Builds all that the gateway serves of the web phone: the custom element and the
// gallery first, so that index.html, by which the gateway notices a new build, is written last.
// Three builds, so that the phone shares no file with the others that it would have to load whole.

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

rmSync(join(root, "web-phone/dist"), { recursive: true, force: true });
for (const name of ["vite.embed.config.ts", "vite.gallery.config.ts", "vite.config.ts"]) {
  await build({ configFile: join(root, "web-phone", name), logLevel: "warn" });
}
