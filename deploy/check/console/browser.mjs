// What the tests share: a real Chromium, the page as somebody sees it, and the API asked beside it.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before } from "node:test";
import { chromium } from "playwright-core";

export const URL_OF_SYSTEM = process.env.CONSOLE_URL;
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { PICTURES } = process.env;
if (PICTURES) mkdirSync(PICTURES, { recursive: true });
/** What has happened before this is over: nothing of it changes while a test looks. */
const SETTLED = 2 * 3_600_000;

let browser;
before(async () => {
  const executablePath = process.env.CHROMIUM ?? PLACES.find(existsSync);
  assert.ok(executablePath, "no Chromium is installed: apt-get install chromium");
  browser = await chromium.launch({ executablePath, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
});
after(() => browser?.close());

/** A range in which all is over. */
export const RANGE = { from: new Date(Date.now() - 20 * 86_400_000).toISOString(), to: new Date(Date.now() - SETTLED).toISOString() };

/** The address of a place of the console. */
export const at = (place = {}, base = URL_OF_SYSTEM) => `${base}/console?${new URLSearchParams(place)}`;

/**
 * A page that nobody has used. It fails its test when anything is refused by the policy, thrown, or fetched from elsewhere.
 */
export async function open(test, options = {}) {
  const { allowed = [], ...rest } = options;
  const context = await browser.newContext({ viewport: { width: 1_440, height: 900 }, locale: "en-GB", timezoneId: "Europe/Berlin", acceptDownloads: true, ...rest });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const wrong = [];
  await page.exposeFunction("violated", (what) => void wrong.push(what));
  await page.addInitScript(() => addEventListener("securitypolicyviolation", (event) => globalThis.violated(`${event.effectiveDirective} forbids ${event.blockedURI} ${event.sample}`)));
  page.on("pageerror", (error) => wrong.push(error.stack));
  page.on("console", (message) => /Content Security Policy|Trusted/.test(message.text()) && wrong.push(message.text()));
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && hostname !== "127.0.0.1" && !allowed.includes(hostname)) wrong.push(`fetched ${request.url()}`);
  });
  test.after(async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  });
  return page;
}

/** Signs in as one of the sample's people, at a place. */
export async function signIn(page, who, place = {}, base = URL_OF_SYSTEM) {
  await page.goto(at(place, base));
  const { name } = await person(who);
  await page.locator(".person-card", { hasText: name }).and(page.locator(".person-card", { hasText: { administrator: "Everything that", member: "Their own", other: "another organization" }[who] })).click();
  await page.getByRole("button", { name: `Account: ${name}` }).waitFor();
}

export async function people() {
  const response = await fetch(`${URL_OF_SYSTEM}/console/dev-session.json`);
  assert.equal(response.status, 200);
  return (await response.json()).people;
}

export async function person(who) {
  const found = (await people()).find(({ id }) => id === who);
  const claims = JSON.parse(Buffer.from(found.token.split(".")[1], "base64url"));
  return { ...found, userId: claims.sub, orgId: claims.o.id };
}

/** Asks the API without the page. */
export async function ask(who, path, query = {}, accept = "application/json") {
  const { token } = await person(who);
  const response = await fetch(`${URL_OF_SYSTEM}/api/dashboard/${path}?${new URLSearchParams(query)}`, { headers: { Authorization: `Bearer ${token}`, Accept: accept } });
  assert.equal(response.status, 200, `${path}: ${response.status}`);
  return accept === "application/json" ? response.json() : response.text();
}

/** Ids of the rows that are drawn, from above. */
export async function drawn(page) {
  return page.locator(".body-row").evaluateAll((rows) => rows.sort((a, b) => Number(a.ariaRowIndex) - Number(b.ariaRowIndex)).map((row) => decodeURIComponent(row.id.slice(4))));
}

/** Waits until the list shows what the API answers. */
export async function shows(page, who, query) {
  const rows = await ask(who, "getInteractions", { limit: 15, ...query });
  const wanted = rows.map((row) => row.id);
  await page.waitForFunction((ids) => {
    const rows = [...document.querySelectorAll(".body-row")].sort((a, b) => Number(a.ariaRowIndex) - Number(b.ariaRowIndex));
    return ids.every((id, index) => rows[index]?.id === `row-${encodeURIComponent(id)}`);
  }, wanted).catch(async () => assert.deepEqual((await drawn(page)).slice(0, wanted.length), wanted));
  return rows;
}

/** Fails when axe finds anything. Keeps a picture to be looked at, in the directory that PICTURES names. */
export async function accessible(page, what) {
  // Nothing is judged in the middle of appearing.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => undefined))));
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? node.all[0]?.message ?? ""}`).join(" | ")}`);
  assert.deepEqual(found, [], what);
  if (PICTURES) await page.screenshot({ path: path.join(PICTURES, `${what.replaceAll(" ", "-")}.png`) });
}

/** Publishes events to Kafka as a platform does. */
export function publish(topic, key, type, data, orgId, time = new Date()) {
  const event = { specversion: "1.0", id: crypto.randomUUID(), source: "/tests", type, time: time.toISOString(), datacontenttype: "application/json", data: { orgId, ...data } };
  const sent = spawnSync("kcat", ["-P", "-b", process.env.KAFKA, "-t", topic, "-k", key, "-X", "acks=all"], { input: JSON.stringify(event) });
  assert.equal(sent.status, 0, String(sent.stderr ?? sent.error));
}

/** A token of `recap token`. */
export function token(...options) {
  return execFileSync(process.env.RECAP, ["token", ...options], { encoding: "utf8" }).trim();
}
