import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { ensureNpmPackages } from "./setup/npm-packages.mjs";
import { SetupError } from "./setup/progress.mjs";
import { ensureWebPhone } from "./setup/web-phone.mjs";

// `npm run setup`: what `npm start` sets up of the package itself, without running anything: the npm
// packages and the built web phone. For an image, or to be ready before there is no network.

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
try {
  await ensureNpmPackages(root);
  await ensureWebPhone(root);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
