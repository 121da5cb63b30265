// How large and how fast, in a real browser: prints the figures of deploy/benchmarks.md.

import { chromium } from "playwright-core";
import { existsSync } from "node:fs";

const TIMES = 15;
const url = process.env.CONSOLE_URL;
const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const browser = await chromium.launch({ executablePath, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const most = (values) => Math.max(...values);
const show = (what, values, unit = "ms") => console.log(`${what}: median ${median(values).toFixed(0)} ${unit}, most ${most(values).toFixed(0)} ${unit}`);

async function fresh() {
  const context = await browser.newContext({ viewport: { width: 1_440, height: 900 } });
  return { context, page: await context.newPage() };
}

const bytes = [], painted = [], usable = [], overview = [], pages = [];
for (let time = 0; time < TIMES; time += 1) {
  const { context, page } = await fresh();
  await page.goto(`${url}/console`);
  await page.locator(".person-card").first().waitFor();
  painted.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  usable.push(await page.evaluate(() => performance.now()));
  bytes.push(await page.evaluate(() => performance.getEntriesByType("resource").filter((entry) => entry.name.includes("/console")).reduce((sum, entry) => sum + entry.encodedBodySize, performance.getEntriesByType("navigation")[0].encodedBodySize)));
  /** From the click until the frame that shows what it asked for is painted: what is posted from an animation frame runs after it. */
  const clicked = (selector, shown) => page.evaluate(([from, to]) => new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(performance.now() - begun);
    const look = () => (document.querySelector(to) ? requestAnimationFrame(() => port2.postMessage(null)) : requestAnimationFrame(look));
    const begun = performance.now();
    document.querySelector(from).click();
    look();
  }), [selector, shown]);
  overview.push(await clicked(".person-card", ".bar-button"));
  pages.push(await clicked(".top nav a:nth-child(2)", ".body-row"));
  await context.close();
}
console.log(`${TIMES} runs, ${browser.version()}`);
show("compressed, everything", bytes.map((value) => value / 1_000), "kB");
show("first contentful paint, empty cache", painted);
show("people to choose from are there", usable);
show("overview, from click to its breakdowns painted", overview);
show("a page of 50, from click to painted", pages);

// 10,000 rows: frames while scrolling through all that is loaded.
const { context, page } = await fresh();
await page.goto(`${url}/console?view=conversations&range=365d`);
await page.locator(".person-card").first().click();
await page.locator(".body-row").first().waitFor();
const frames = await page.evaluate(async () => {
  const grid = document.querySelector("[role=treegrid]");
  const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const rows = () => Number(grid.querySelector(".grid-body").style.height.slice(0, -2)) / 57;
  while (rows() < 10_000 && !grid.innerText.includes("That is all.")) {
    grid.scrollTop = grid.scrollHeight;
    await next();
  }
  const loaded = rows();
  const times = [];
  grid.scrollTop = 0;
  await next();
  let before = performance.now();
  for (let step = 0; step < 600; step += 1) {
    grid.scrollTop += (grid.scrollHeight / 600) * (step % 2 ? 1.5 : 0.5);
    await next();
    times.push(performance.now() - before);
    before = performance.now();
  }
  return { loaded, times: times.toSorted((a, b) => a - b), drawn: grid.querySelectorAll(".body-row").length, heap: performance.memory?.usedJSHeapSize };
});
console.log(`${frames.loaded} rows loaded, ${frames.drawn} drawn, heap ${Math.round((frames.heap ?? 0) / 1e6)} MB; frame while scrolling: median ${frames.times[300].toFixed(1)} ms, p99 ${frames.times[594].toFixed(1)} ms`);
await context.close();
await browser.close();
