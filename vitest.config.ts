import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that wait for minutes of a clock and do next to nothing meanwhile. */
const SLEEPING = [
  "test/browser/killed-browser.test.ts",
  "test/browser/silent-peer.test.ts",
  "test/integration/asterisk-timers.test.ts",
  "test/integration/attack-memory.test.ts",
  "test/integration/idle-heap.test.ts",
];
/**
 * Files that mostly wait: for the timers of SIP, for sound that plays, for pictures to be drawn. None of them has a bound
 * on a time that a busy machine could break. The longest come first: they begin first.
 */
const WAITING = [
  "test/browser/gallery.test.ts",
  "test/browser/outcomes.test.ts",
  "test/integration/sip-races.test.ts",
  "test/integration/fake-carrier.test.ts",
  "test/integration/announcements.test.ts",
  "test/integration/lost-connection.test.ts",
  "test/integration/media-timeout.test.ts",
  "test/integration/shutdown.test.ts",
  "test/integration/trunk-registration.test.ts",
  "test/harness/baresip.real.test.ts",
  "test/harness/capture.real.test.ts",
  "test/integration/transfer.test.ts",
  "test/integration/hangup-matrix.test.ts",
  "test/integration/dtmf-matrix.test.ts",
  "test/harness/sipp.real.test.ts",
  "test/media/digits.real.test.ts",
  "test/harness/asterisk.real.test.ts",
  "test/integration/topology.test.ts",
  "test/integration/linphone.test.ts",
  "test/integration/pass-through.test.ts",
];
/** Those that run at once. */
const AT_ONCE = [...SLEEPING, ...WAITING];

/** Lets files that run at once begin in the order of their list. */
class ListedOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number =>
      AT_ONCE.findIndex((path) => moduleId.endsWith(path));
    const projects = Map.groupBy(await super.sort(files), ({ project }) => project.name);
    return [...projects.values()].flatMap((group) =>
      group.toSorted((one, other) => rank(one) - rank(other)),
    );
  }
}

const outcomeFile = process.env["OFFHOOK_TEST_OUTCOME"];

/**
 * Five projects. `unit` needs nothing but Node; `integration` and `browser` start real programs
 * with sound in them, so their files run one after another: two of them at once on a small machine
 * would measure each other. Those of `waiting` run at once, those of `sleeping` beside `unit`.
 */
export default defineConfig({
  test: {
    // The second counts for the scripts that run several projects one after another.
    reporters:
      outcomeFile === undefined
        ? ["default"]
        : ["default", ["./scripts/setup/vitest-reporter.mjs", { file: outcomeFile }]],
    passWithNoTests: false,
    sequence: { sequencer: ListedOrder },
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
          name: "sleeping",
          include: SLEEPING,
          testTimeout: 90_000,
          hookTimeout: 90_000,
          maxWorkers: 4,
          sequence: { groupOrder: 4 },
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
          exclude: AT_ONCE,
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
          exclude: AT_ONCE,
          testTimeout: 90_000,
          hookTimeout: 90_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
