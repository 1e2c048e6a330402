import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BatchedLines } from "../../src/observe/batched-lines.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function batched() {
  const writes: string[] = [];
  return { writes, lines: new BatchedLines({ write: (text) => writes.push(text) }) };
}

describe("BatchedLines", () => {
  it("writes a line that comes alone at once", () => {
    const { writes, lines } = batched();
    lines.write("a\n");
    vi.advanceTimersByTime(1000);
    lines.write("b\n");
    expect(writes).toEqual(["a\n", "b\n"]);
  });

  it("joins lines that come within 50 ms of another, in order", () => {
    const { writes, lines } = batched();
    for (const line of ["a\n", "b\n", "c\n"]) lines.write(line);
    expect(writes).toEqual(["a\n"]);
    vi.advanceTimersByTime(50);
    expect(writes).toEqual(["a\n", "b\nc\n"]);
    lines.write("d\n");
    vi.advanceTimersByTime(49);
    expect(writes).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(writes.at(-1)).toBe("d\n");
  });

  it("lets no more than 64 kB wait", () => {
    const { writes, lines } = batched();
    const line = `${"x".repeat(999)}\n`;
    for (let index = 0; index < 67; index += 1) lines.write(line);
    expect(writes).toHaveLength(2);
  });

  it("loses nothing when the process ends", () => {
    const { writes, lines } = batched();
    lines.write("a\n");
    lines.write("b\n");
    lines.flush();
    vi.advanceTimersByTime(1000);
    expect(writes).toEqual(["a\n", "b\n"]);
  });
});
