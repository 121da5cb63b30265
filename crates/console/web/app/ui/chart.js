// uPlot in the page's colours: its own legend and hint, the same figures as a table, a drag or a click to look closer.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import uPlot from "../../vendor/uplot.js";
import { useScheme } from "../state/scheme.js";

/**
 * @typedef {object} Series
 * @property {string} label
 * @property {string} colour Name of a custom property of the style sheet.
 * @property {(number | null)[]} values
 * @property {"bars" | "line" | "dashed" | "area"} [look]
 */

const HEIGHT = 168;
/** What a name below the chart needs, in pixels. */
const ROOM = 64;

/**
 * @param {object} props
 * @param {string} props.label
 * @param {Date[]} props.times Where each bucket starts.
 * @param {Date} props.end Where the last one ends.
 * @param {string[]} props.names Of the buckets, for people.
 * @param {Series[]} props.series
 * @param {boolean} [props.stacked]
 * @param {(value: number | null) => string} props.format
 * @param {(value: number | null) => string} props.axisFormat The same, shorter.
 * @param {(time: Date) => string} props.axis Names a bucket in few characters.
 * @param {number[]} [props.steps] What may lie between two lines of the axis of values.
 * @param {[number, number]} [props.scale] The axis of values, where it does not follow the values.
 * @param {(from: Date, to: Date) => void} props.onZoom
 */
export function Chart({ label, times, end, names, series, stacked = false, format, axisFormat, axis, steps, scale, onZoom }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const latest = useRef({ onZoom, times, end });
  latest.current = { onZoom, times, end };
  const [index, setIndex] = useState(/** @type {number | null} */ (null));
  const scheme = useScheme();
  const shape = JSON.stringify([series.map(({ label: name, colour, look }) => [name, colour, look]), stacked, scheme, scale, times.length]);

  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const made = new uPlot(optionsOf({ element, series, stacked, format: axisFormat, axis, steps, scale, onIndex: setIndex, latest }), dataOf(times, series, stacked), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(dataOf(times, series, stacked));
  }, [times, series, stacked]);

  return html`<div class="chart">
    <div class="legend">${series.map((one) => html`<span class="legend-item" key=${one.label}><i class=${`swatch ${one.look ?? "line"}`} style=${{ "--swatch": `var(${one.colour})` }}></i>${one.label}
      ${index !== null && html`<b>${format(one.values[index] ?? null)}</b>`}</span>`)}<span class="legend-when">${index !== null ? names[index] : ""}</span></div>
    <div class="plot" ref=${place} role="img" aria-label=${`${label}, a chart of ${times.length} points in time; the table beside it has the same figures`}></div>
  </div>`;
}

/** Stacked series are drawn as sums, the last one first. @param {Date[]} times @param {Series[]} series @param {boolean} stacked @returns {uPlot.AlignedData} */
function dataOf(times, series, stacked) {
  const sums = times.map(() => 0);
  const values = series.map((one) => (stacked ? one.values.map((value, index) => (sums[index] += value ?? 0)) : one.values));
  return /** @type {uPlot.AlignedData} */ ([times.map((time) => time.getTime() / 1_000), ...(stacked ? values.reverse() : values)]);
}

/**
 * @param {{ element: HTMLElement, series: Series[], stacked: boolean, format: (value: number | null) => string, axis: (time: Date) => string, steps: number[] | undefined, scale: [number, number] | undefined,
 *   onIndex: (index: number | null) => void, latest: { current: { onZoom: (from: Date, to: Date) => void, times: Date[], end: Date } } }} options
 * @returns {uPlot.Options}
 */
function optionsOf({ element, series, stacked, format, axis, steps, scale, onIndex, latest }) {
  const style = getComputedStyle(element);
  /** @param {string} name */
  const colour = (name) => style.getPropertyValue(name).trim();
  const font = `11px ${style.fontFamily}`;
  const drawn = stacked ? [...series].reverse() : series;
  const bars = uPlot.paths.bars?.({ size: [0.7, 64], radius: stacked ? 0 : 0.12 });
  const barred = series.some((one) => one.look === "bars");
  const half = () => ((latest.current.times[1] ?? latest.current.end).getTime() - latest.current.times[0].getTime()) / 2_000;
  const bucketEnd = (/** @type {number} */ index) => latest.current.times[index + 1] ?? latest.current.end;
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: !barred, size: 7, width: 2 }, drag: { x: true, y: false, setScale: false } },
    scales: {
      // A bar needs half a bucket on either side of its time, and so does a point that is alone.
      x: { time: true, range: (_, min, max) => (barred || min === max ? [min - half(), max + half()] : [min, max]) },
      y: { range: (_, __, max) => scale ?? [0, max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      { stroke: colour("--muted"), font, grid: { show: false }, ticks: { show: false }, size: 24, gap: 6,
        // Names stand at buckets only, as many as there is room for, and none beyond the edge.
        splits: (plot) => {
          const all = latest.current.times, every = Math.max(1, Math.ceil((all.length * ROOM) / plot.over.clientWidth));
          return all.filter((_, index) => index % every === 0).map((time) => time.getTime() / 1_000);
        },
        values: (plot, splits) => splits.map((at) => (plot.valToPos(at, "x") > plot.over.clientWidth - ROOM / 3 && !barred ? "" : axis(new Date(at * 1_000)))) },
      { stroke: colour("--muted"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, size: 52, gap: 6, space: 36, ...(steps ? { incrs: steps } : {}), values: (_, splits) => splits.map((value) => format(value)) },
    ],
    series: [{}, ...drawn.map((one) => {
      const line = colour(one.colour);
      const filled = one.look === "bars" || one.look === "area" || stacked;
      return /** @type {uPlot.Series} */ ({
        label: one.label, stroke: one.look === "bars" ? undefined : line, width: one.look === "bars" ? 0 : one.look === "dashed" ? 1.25 : 2,
        ...(one.look === "dashed" ? { dash: [4, 4] } : {}), ...(filled ? { fill: one.look === "area" ? faint(line) : line } : {}),
        ...(one.look === "bars" && bars ? { paths: bars } : {}), points: { show: latest.current.times.length === 1, size: 6 }, spanGaps: false,
      });
    })],
    hooks: {
      setCursor: [(plot) => onIndex(plot.cursor.idx ?? null)],
      setSelect: [(plot) => {
        if (plot.select.width < 4) return;
        const first = plot.posToIdx(plot.select.left), last = plot.posToIdx(plot.select.left + plot.select.width);
        latest.current.onZoom(latest.current.times[first], bucketEnd(last));
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
      ready: [(plot) => plot.over.addEventListener("click", () => {
        const index = plot.cursor.idx;
        if (plot.select.width < 4 && index !== null && index !== undefined && latest.current.times[index]) latest.current.onZoom(latest.current.times[index], bucketEnd(index));
      })],
    },
  };
}

/** @param {string} colour As a style sheet computes it, `rgb(…)`. */
const faint = (colour) => colour.replace("rgb(", "rgba(").replace(")", ", 0.14)");

/** A line without axes, as wide as its place. @param {{ values: (number | null)[] }} props */
export function Sparkline({ values }) {
  const most = Math.max(0, ...values.map((value) => value ?? 0)) || 1, step = 100 / Math.max(1, values.length - 1);
  const points = values.map((value, index) => `${(index * step).toFixed(1)},${(26 - ((value ?? 0) / most) * 24).toFixed(1)}`);
  return html`<svg class="sparkline" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
    <polygon points=${`0,28 ${points.join(" ")} 100,28`} /><polyline points=${points.join(" ")} vector-effect="non-scaling-stroke" /></svg>`;
}
