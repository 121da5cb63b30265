// The list: every filter, order and page shows what the API answers, and the address tells all of it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { RANGE, ask, drawn, open, shows, signIn } from "./browser.mjs";

const LIST = { view: "conversations", ...RANGE };
const ALL = { ...RANGE, allInOrg: "true" };

async function filter(page, kind, choose) {
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await page.getByRole("combobox", { name: "Kind of filter" }).fill(kind);
  await page.keyboard.press("Enter");
  await choose(page.getByRole("dialog", { name: "Add a filter" }));
}

const pick = (text) => (dialog) => dialog.getByRole("option", { name: text }).first().click();
const chosen = (page, name) => new URL(page.url()).searchParams.get(name);

test("every filter shows what the API answers", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  const [sample] = await ask("administrator", "getInteractions", { ...ALL, toolError: "true", limit: 1 });
  const cases = [
    ["Agent", pick(sample.agentName), { agentId: String(sample.agentId) }],
    ["Model", pick(sample.agentModel), { model: sample.agentModel }],
    ["Tool", pick(sample.toolCalls[0].toolName), { toolName: sample.toolCalls[0].toolName }],
    ["Person", pick(`${sample.userFirstName} ${sample.userLastName}`), { userId: sample.userId }],
    ["Feedback", pick("Rated not helpful"), { feedback: "notHelpful" }],
    ["Tool errors", pick("A tool failed"), { toolError: "true" }],
  ];
  for (const [kind, choose, query] of cases) {
    await filter(page, kind, choose);
    const rows = await shows(page, "administrator", { ...ALL, ...query });
    assert.ok(rows.length > 0, `nothing to see by ${kind}`);
    for (const [name, value] of Object.entries(query)) assert.equal(chosen(page, name), value);
    const stats = await ask("administrator", "getStats", { ...ALL, ...query });
    await page.getByRole("status").filter({ hasText: `${stats.conversationCount.toLocaleString("en-GB")} conversation` }).waitFor();
    await page.getByRole("button", { name: `Remove the filter ${kind}` }).click();
  }
  await filter(page, "User metadata", async (dialog) => {
    await dialog.getByLabel("Key").fill("department.name");
    await dialog.getByLabel("Value").fill("Sales");
    await dialog.getByRole("button", { name: "Filter" }).click();
  });
  await shows(page, "administrator", { ...ALL, metadataKey: "department.name", metadataValue: "Sales" });
  await page.getByRole("button", { name: "Remove the filter User metadata" }).click();
  // Two at once, and what nothing fits.
  await filter(page, "Tool errors", pick("A tool failed"));
  await filter(page, "Feedback", pick("Rated helpful"));
  await shows(page, "administrator", { ...ALL, toolError: "true", feedback: "helpful" });
  await filter(page, "Model", async (dialog) => {
    await dialog.getByRole("combobox").fill("no-such-model");
    await page.keyboard.press("Enter");
  });
  await page.getByRole("heading", { name: "No conversation matches" }).waitFor();
  await page.getByRole("button", { name: "Remove the filters" }).click();
  await shows(page, "administrator", ALL);
});

test("every order shows what the API answers; back and forward walk through the places", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  const orders = ["createdAt", "totalTokens", "totalMessageCount", "duration"];
  for (const sort of orders) {
    await page.getByLabel("Order").selectOption(sort);
    const [first] = await shows(page, "administrator", { ...ALL, sort });
    const time = sort === "createdAt" ? "Created" : "Updated";
    await page.getByRole("columnheader", { name: time }).waitFor();
    assert.equal(await page.locator(".body-row[aria-rowindex='2'] .time time").getAttribute("datetime"), first[`${time.toLowerCase()}At`]);
  }
  for (const sort of orders.slice(0, -1).reverse()) {
    await page.goBack();
    await shows(page, "administrator", { ...ALL, sort });
  }
  await page.goForward();
  await shows(page, "administrator", { ...ALL, sort: "totalTokens" });
  await page.reload();
  await shows(page, "administrator", { ...ALL, sort: "totalTokens" });
  await page.getByRole("button", { name: "Messages" }).click();
  await shows(page, "administrator", { ...ALL, sort: "totalMessageCount" });
});

test("the range is chosen, on either time", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  await page.locator(".filter-bar > .popover button").first().click();
  await page.getByLabel("Conversations that were").selectOption("updatedAt");
  await shows(page, "administrator", { ...ALL, rangeOn: "updatedAt" });
  await page.getByRole("button", { name: "Last 30 days" }).click();
  assert.equal(chosen(page, "range"), "30d");
  assert.equal(chosen(page, "from"), null);
  await page.getByRole("button", { name: "Last 30 days" }).waitFor();
});

test("scrolling shows every conversation, and draws a few only", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  await page.locator(".body-row").first().waitFor();
  const wanted = await ask("administrator", "getInteractions", { ...ALL, exclude: "toolCalls,feedbackData,firstMessageText" });
  const seen = new Set();
  const grid = page.getByRole("treegrid");
  for (let step = 0; !(await page.getByText("That is all.").isVisible()) || step < 2; step += 1) {
    for (const id of await drawn(page)) seen.add(id);
    assert.ok((await page.locator(".body-row").count()) < 80, "too many rows are drawn");
    // What comes into view is drawn in the frame after.
    await grid.evaluate((element) => new Promise((drawn) => {
      element.scrollBy(0, 600);
      requestAnimationFrame(() => requestAnimationFrame(drawn));
    }));
    assert.ok(step < 5_000, "there is no end");
    if (seen.size > 1_500) break;
  }
  const order = wanted.map((row) => row.id);
  const inOrder = [...seen];
  assert.deepEqual(inOrder, order.slice(0, inOrder.length));
});

test("sub-conversations unfold under their parents", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  await page.locator("button.fold").first().waitFor();
  const row = page.locator(".body-row", { has: page.locator("button.fold") }).first();
  const id = decodeURIComponent((await row.getAttribute("id")).slice(4));
  const parent = await ask("administrator", "getInteraction", { id });
  assert.equal(await row.getAttribute("aria-expanded"), "false");
  await row.locator("button.fold").click();
  const ids = await drawn(page);
  const place = ids.indexOf(id);
  assert.deepEqual(ids.slice(place + 1, place + 1 + parent.subConversations.length), parent.subConversations.map((child) => child.id));
  assert.equal(await page.locator(`[id="row-${encodeURIComponent(parent.subConversations[0].id)}"]`).getAttribute("aria-level"), "2");
  await row.locator("button.fold").click();
  assert.ok(!(await drawn(page)).includes(parent.subConversations[0].id));
});

test("exports are what the API streams", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", { ...LIST, toolError: "true" });
  await page.locator(".body-row").first().waitFor();
  for (const [name, accept, query] of [["NDJSON", "application/x-ndjson", {}], ["for Excel", "text/csv", { bom: "true" }]]) {
    await page.getByRole("button", { name: "Export" }).click();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name }).click();
    const saved = await (await download).path();
    const wanted = await ask("administrator", "getInteractions", { ...ALL, toolError: "true", ...query }, accept);
    const text = await readFile(saved, "utf8");
    assert.ok(text.split("\n").length > 20);
    assert.equal(text.replace(/^\uFEFF/, ""), wanted.replace(/^\uFEFF/, ""));
    await page.getByRole("status").filter({ hasText: "Saved conversations-" }).waitFor({ state: "attached" });
  }
});
