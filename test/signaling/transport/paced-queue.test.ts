import { expect, it } from "vitest";
import { PacedQueue } from "../../../src/signaling/transport/paced-queue.ts";
import { ManualClock } from "../../harness/manual-clock.ts";

function make(isThere: (item: number) => boolean = () => true) {
  const clock = new ManualClock();
  const taken: number[] = [];
  const queue = new PacedQueue<number>({
    clock,
    perSecond: 100,
    capacity: 300,
    take: (item) => {
      if (!isThere(item)) return false;
      taken.push(item);
      return true;
    },
  });
  return { clock, taken, queue };
}

it("hands out at once what comes while there is room", () => {
  const { clock, taken, queue } = make();
  for (let item = 0; item < 50; item += 1) {
    queue.offer(item);
    clock.advance(10);
  }
  expect(taken).toHaveLength(50);
  expect(clock.pendingTimers).toBe(0);
});

it("hands out no faster than at its pace, in order, and takes no more than may wait", () => {
  const { clock, taken, queue } = make();
  const accepted = Array.from({ length: 400 }, (_, item) => queue.offer(item));
  expect(taken).toHaveLength(10);
  expect(accepted.filter(Boolean)).toHaveLength(310);
  expect(queue.waitMs).toBe(3000);
  clock.advance(1000);
  expect(taken.length).toBeGreaterThanOrEqual(108);
  expect(taken.length).toBeLessThanOrEqual(110);
  // Who comes later stands behind.
  queue.offer(1000);
  clock.advance(3000);
  expect(taken).toEqual([...Array.from({ length: 310 }, (_, item) => item), 1000]);
  expect(clock.pendingTimers).toBe(0);
});

it("loses no time with those that have gone", () => {
  const { clock, taken, queue } = make((item) => item < 10 || item >= 300);
  for (let item = 0; item < 310; item += 1) queue.offer(item);
  clock.advance(200);
  expect(taken.slice(10)).toEqual([300, 301, 302, 303, 304, 305, 306, 307, 308, 309]);
});

it("gives back what waits when it closes", () => {
  const { clock, queue } = make();
  for (let item = 0; item < 20; item += 1) queue.offer(item);
  expect(queue.close()).toHaveLength(10);
  expect(queue.size).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});
