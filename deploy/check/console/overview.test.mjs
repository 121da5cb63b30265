// The overview: its figures are the API's, and whatever is clicked filters.

import assert from "node:assert/strict";
import test from "node:test";
import { RANGE, ask, open, signIn } from "./browser.mjs";

const ALL = { ...RANGE, allInOrg: "true" };
const parameter = (page, name) => new URL(page.url()).searchParams.get(name);

test("figures are those of the range, beside those of the range before", async (t) => {
  const page = await open(t);
  const days = (from, to) => ({ from: new Date(Date.now() - from * 86_400_000).toISOString(), to: new Date(Date.now() - to * 86_400_000 - 1).toISOString() });
  const range = days(8, 1), length = 7 * 86_400_000;
  const before = { from: new Date(Date.parse(range.from) - length).toISOString(), to: new Date(Date.parse(range.from) - 1).toISOString() };
  await signIn(page, "administrator", range);
  const [now, then] = await Promise.all([range, before].map((span) => ask("administrator", "getStats", { ...span, allInOrg: "true" })));
  assert.ok(then.conversationCount > 0);
  const tile = (name) => page.locator(".tile", { has: page.getByText(name, { exact: true }) });
  for (const [name, figure] of [["Conversations", "conversationCount"], ["Messages", "messageCount"], ["Tokens", "totalTokens"], ["Tool calls", "toolCalls"]]) {
    await tile(name).locator(`.tile-value[title="${now[figure].toLocaleString("en-GB")}"]`).waitFor();
  }
  const change = Math.round(((now.conversationCount - then.conversationCount) / then.conversationCount) * 100);
  await tile("Conversations").getByText(`${change > 0 ? "+" : change < 0 ? "-" : ""}${Math.abs(change)}%`).waitFor();
  await tile("Helpful").getByText(`of ${now.totalFeedback.toLocaleString("en-GB")} ratings`).waitFor();
  await tile("With a failed tool").click();
  assert.equal(parameter(page, "toolError"), "true");
  assert.equal(parameter(page, "view"), "conversations");
});

test("a click on a breakdown filters by it, another no longer", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", RANGE);
  for (const [title, by, name] of [["Agents", "agentId", "agentId"], ["Models", "agentModel", "model"], ["Tools", "toolName", "toolName"], ["People", "userId", "userId"]]) {
    const [largest] = await ask("administrator", "getBreakdown", { ...ALL, by });
    const card = page.getByRole("region", { name: title, exact: true });
    const bar = card.locator(".bar-button").first();
    await bar.locator(".bar-value", { hasText: largest.conversationCount.toLocaleString("en-GB") }).waitFor();
    await bar.click();
    await page.waitForFunction(([key, value]) => new URL(location.href).searchParams.get(key) === value, [name, String(largest.value)]);
    await page.locator(`.tile-value[title="${largest.conversationCount.toLocaleString("en-GB")}"]`).first().waitFor();
    await card.locator(".bar-button[aria-pressed=true]").click();
    await page.waitForFunction((key) => !new URL(location.href).searchParams.has(key), name);
  }
});

test("charts have a table with the API's figures, and lead to a part of the range", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", RANGE);
  const series = await ask("administrator", "getTimeSeries", { ...ALL, interval: "day", timeZone: "Europe/Berlin" });
  const card = page.getByRole("region", { name: "Conversations", exact: true });
  await card.getByRole("button", { name: "Conversations as a table" }).click();
  await card.locator("tbody tr").first().waitFor();
  assert.deepEqual(await card.locator("tbody td").allTextContents(), series.map((bucket) => bucket.conversationCount.toLocaleString("en-GB")));
  const chosen = series.length - 4;
  await card.locator("tbody a").nth(chosen).click();
  assert.equal(parameter(page, "from"), series[chosen].start);
  assert.equal(Date.parse(parameter(page, "to")), Date.parse(series[chosen].end) - 1);
  await page.goBack();
  await card.getByRole("button", { name: "Conversations as a table" }).click();
  await page.locator(".charts:not(.reloading)").waitFor();
  const plot = await card.locator(".u-over").boundingBox();
  await page.mouse.move(plot.x + plot.width * 0.3, plot.y + 40);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.6, plot.y + 60, { steps: 6 });
  await page.mouse.up();
  await page.waitForFunction((from) => (new URL(location.href).searchParams.get("from") ?? "") > from, RANGE.from);
  await card.getByLabel("Split the chart").selectOption("agentModel");
  const models = await ask("administrator", "getBreakdown", { from: parameter(page, "from"), to: parameter(page, "to"), allInOrg: "true", by: "agentModel" });
  await card.locator(".legend-item", { hasText: String(models[0].value) }).waitFor();
});
