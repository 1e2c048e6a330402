/** One line of a chart; a point that is not a number is left out. */
export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 640;
const HEIGHT = 360;
const LEFT = 64;
const RIGHT = 150;
const TOP = 44;
const BOTTOM = 52;
const GRID_LINES = 5;

/**
 * A line chart as SVG text: x in equal steps for the measured values, y from 0. Readable on a light
 * and a dark page.
 */
export function formatLineChart(chart: {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
}): string {
  const xs = [...new Set(chart.series.flatMap(({ points }) => points.map(([x]) => x)))].toSorted(
    (left, right) => left - right,
  );
  const ys = chart.series.flatMap(({ points }) => points.map(([, y]) => y)).filter(Number.isFinite);
  const top = niceCeiling(Math.max(...ys, 0.001));
  const plotWidth = WIDTH - LEFT - RIGHT;
  const plotHeight = HEIGHT - TOP - BOTTOM;
  const placeX = (x: number): number =>
    LEFT + (xs.length < 2 ? plotWidth / 2 : (xs.indexOf(x) * plotWidth) / (xs.length - 1));
  const placeY = (y: number): number => TOP + plotHeight - (y / top) * plotHeight;
  const parts: string[] = [];
  for (let line = 0; line <= GRID_LINES; line += 1) {
    const value = (top * line) / GRID_LINES;
    const y = round(placeY(value));
    parts.push(
      `<line x1="${LEFT}" y1="${y}" x2="${WIDTH - RIGHT}" y2="${y}" stroke="#8888" stroke-width="0.5"/>`,
      text(LEFT - 8, y + 4, formatTick(value), "end"),
    );
  }
  for (const x of xs) {
    parts.push(text(round(placeX(x)), HEIGHT - BOTTOM + 20, x.toLocaleString("en"), "middle"));
  }
  for (const [index, { name, colour, points }] of chart.series.entries()) {
    const drawn = points.filter(([, y]) => Number.isFinite(y));
    const path = drawn.map(([x, y]) => `${round(placeX(x))},${round(placeY(y))}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2.5"/>`);
    for (const [x, y] of drawn) {
      parts.push(
        `<circle cx="${round(placeX(x))}" cy="${round(placeY(y))}" r="4" fill="${colour}"/>`,
      );
    }
    const y = TOP + 14 + index * 22;
    parts.push(
      `<rect x="${WIDTH - RIGHT + 16}" y="${y - 9}" width="12" height="12" fill="${colour}"/>`,
      text(WIDTH - RIGHT + 34, y + 2, name, "start"),
    );
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="13">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="24" font-size="16" font-weight="bold">${escape(chart.title)}</text>`,
    ...parts,
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, chart.x, "middle"),
    `<text transform="translate(18 ${TOP + plotHeight / 2}) rotate(-90)" text-anchor="middle">${escape(chart.y)}</text>`,
    "</svg>",
    "",
  ].join("\n");
}

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end"): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function formatTick(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toFixed(2)));
}

/** The next of 1, 2, 2.5, 5, 10 times a power of ten. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= value) ?? 10;
  return step * power;
}
