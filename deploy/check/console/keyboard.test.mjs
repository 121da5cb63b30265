// Everything with the keyboard alone.

import assert from "node:assert/strict";
import test from "node:test";
import { RANGE, ask, at, open, person, shows } from "./browser.mjs";

const focused = (page) => page.evaluate(() => `${document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent}`.trim());

/** Presses Tab until something of this name has the focus. */
async function tabTo(page, name) {
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press("Tab");
    if (name.test(await focused(page))) return;
  }
  assert.fail(`${name} cannot be reached by Tab`);
}

test("signing in, filtering, reading and going back", async (t) => {
  const page = await open(t);
  await page.goto(at({ view: "conversations", ...RANGE }));
  await page.locator(".person-card").first().waitFor();
  await tabTo(page, new RegExp((await person("administrator")).name));
  await page.keyboard.press("Enter");
  await page.locator(".body-row").first().waitFor();

  await tabTo(page, /^Skip to the contents$/);
  await tabTo(page, /^Filter$/);
  await page.keyboard.press("Enter");
  await page.keyboard.type("tool err");
  await page.keyboard.press("Enter");
  await page.getByRole("option", { name: "A tool failed" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  const rows = await shows(page, "administrator", { ...RANGE, allInOrg: "true", toolError: "true" });

  await tabTo(page, /^Conversations$/);
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("role")), "treegrid");
  const active = () => page.evaluate(() => document.activeElement?.getAttribute("aria-activedescendant"));
  const id = (row) => `row-${encodeURIComponent(row.id)}`;
  assert.equal(await active(), id(rows[0]));
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await active(), id(rows[2]));
  await page.keyboard.press("Home");
  assert.equal(await active(), id(rows[0]));
  const parent = rows.findIndex((row) => row.subConversations.length > 0);
  if (parent >= 0) {
    for (let step = 0; step < parent; step += 1) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    assert.equal(await active(), id(rows[parent].subConversations[0]));
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    assert.equal(await page.locator(`[id="${id(rows[parent])}"]`).getAttribute("aria-expanded"), "false");
    await page.keyboard.press("Home");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: rows[0].firstMessageText }).waitFor();
  assert.equal(await focused(page), "Conversation");
  for (let step = 0; step < 20 && !(await page.locator(".call summary:focus").count()); step += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator(".call > details[open]").first().waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".pane").waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("role")), "treegrid");
  assert.equal(await active(), id(rows[0]));
});

test("a panel closes with Escape and gives the focus back", async (t) => {
  const page = await open(t);
  await page.goto(at(RANGE));
  await page.locator(".person-card").first().click();
  await page.locator(".tile-value").first().waitFor();
  await tabTo(page, /^Account/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Account" }).waitFor();
  await page.keyboard.press("Escape");
  assert.match(await focused(page), /^Account/);
  const [largest] = await ask("administrator", "getBreakdown", { ...RANGE, allInOrg: "true", by: "agentModel" });
  await tabTo(page, new RegExp(`^${String(largest.value)}`));
  await page.keyboard.press("Enter");
  await page.waitForFunction((value) => new URL(location.href).searchParams.get("model") === value, largest.value);
});
