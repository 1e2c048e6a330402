import { defineConfig } from "vitest/config";

/** Files that mostly wait, for the timers of SIP. */
const WAITING = [
  "test/browser/killed-browser.test.ts",
  "test/browser/outcomes.test.ts",
  "test/browser/silent-peer.test.ts",
  "test/integration/asterisk-timers.test.ts",
  "test/integration/lost-connection.test.ts",
  "test/integration/media-timeout.test.ts",
  "test/integration/signaling-loss.test.ts",
  "test/integration/sip-races.test.ts",
];
const outcomeFile = process.env["OFFHOOK_TEST_OUTCOME"];

/**
 * Four projects. `unit` needs nothing but Node; `integration` and `browser` start real programs
 * with sound in them, so their files run one after another: two of them at once on a small machine
 * would measure each other. Those of `waiting` run at once.
 */
export default defineConfig({
  test: {
    // The second counts for the scripts that run several projects one after another.
    reporters:
      outcomeFile === undefined
        ? ["default"]
        : ["default", ["./scripts/setup/vitest-reporter.mjs", { file: outcomeFile }]],
    passWithNoTests: false,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts", "web-phone/**/*.test.{ts,tsx}"],
          exclude: [
            "test/integration/**",
            "test/browser/**",
            "test/soak/**",
            "test/**/*.real.test.ts",
            "**/node_modules/**",
            "**/dist/**",
          ],
          testTimeout: 10_000,
          hookTimeout: 10_000,
        },
      },
      {
        extends: true,
        test: {
          name: "waiting",
          include: WAITING,
          testTimeout: 90_000,
          hookTimeout: 90_000,
          maxWorkers: 4,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts", "test/**/*.real.test.ts"],
          exclude: WAITING,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          exclude: WAITING,
          testTimeout: 90_000,
          hookTimeout: 90_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
