// The pictures of the README: the overview, a conversation beside the list, and the list on a phone.

import { existsSync } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const url = process.env.CONSOLE_URL, deploy = path.join(process.env.TOP, "deploy");
const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const browser = await chromium.launch({ executablePath, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });

async function taken(name, place, options, ready) {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
  const page = await context.newPage();
  await page.goto(`${url}/console?${new URLSearchParams(place)}`);
  await page.locator(".person-card").first().click();
  await ready(page);
  await page.mouse.move(0, 0);
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => undefined))));
  await page.screenshot({ path: path.join(deploy, `console-${name}.png`) });
  await context.close();
}

const desktop = { viewport: { width: 1_280, height: 880 } };
await taken("overview", { range: "30d", split: "agentId" }, { ...desktop, colorScheme: "light" }, async (page) => {
  await page.locator(".bar-button").first().waitFor();
  await page.locator(".legend-item").nth(6).waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll(".bar-label")].every((label) => !/^(user_|\d+$)/.test(label.textContent ?? "")));
});
await taken("conversation", { view: "conversations", range: "30d", toolError: "true", feedback: "any" }, { ...desktop, colorScheme: "dark" }, async (page) => {
  await page.locator(".body-row").nth(3).click({ position: { x: 240, y: 10 } });
  await page.locator(".call.failed summary").first().click();
  await page.locator(".json-line").first().waitFor();
});
await taken("phone", { view: "conversations", range: "30d" }, { viewport: { width: 390, height: 760 }, hasTouch: true, isMobile: true, colorScheme: "light" }, async (page) => {
  await page.locator(".body-row").nth(4).waitFor();
});
await browser.close();
