// One conversation: everything that the API has of it, beside the list and by itself.

import assert from "node:assert/strict";
import test from "node:test";
import { RANGE, ask, at, open, signIn } from "./browser.mjs";

const LIST = { view: "conversations", ...RANGE };
const ALL = { ...RANGE, allInOrg: "true" };

async function one(query, suits) {
  const rows = await ask("administrator", "getInteractions", { ...ALL, ...query, limit: 200 });
  const found = rows.find(suits);
  assert.ok(found, "the sample has no such conversation");
  return found;
}

test("it opens beside the list and shows what the API has", async (t) => {
  const page = await open(t);
  const wanted = await one({ feedback: "any", toolError: "true" }, (row) => row.feedbackData.some((entry) => entry.comment));
  await signIn(page, "administrator", { ...LIST, feedback: "any", toolError: "true" });
  await page.getByRole("link", { name: wanted.firstMessageText }).first().waitFor();
  await page.locator(`[id="row-${encodeURIComponent(wanted.id)}"]`).click({ position: { x: 300, y: 8 } });
  const pane = page.getByRole("region", { name: "Conversation", exact: true });
  await pane.getByRole("heading", { name: wanted.firstMessageText }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("id"), wanted.id);
  const text = await pane.innerText();
  const facts = [`${wanted.userFirstName} ${wanted.userLastName}`, wanted.agentName, wanted.agentModel, wanted.userEmail, wanted.id, wanted.userId, String(wanted.agentId), wanted.lastFinishReason,
    wanted.totalMessageCount.toLocaleString("en-GB"), wanted.inputTokens.toLocaleString("en-GB"), wanted.outputTokens.toLocaleString("en-GB"), ...wanted.toolCalls.map((call) => call.toolName),
    ...wanted.feedbackData.flatMap((entry) => entry.comment ?? [])];
  for (const fact of facts) assert.ok(text.includes(fact), `${fact} is not shown: ${text}`);
  assert.equal(await pane.locator(".call.failed").count(), wanted.toolCalls.filter((call) => call.error !== null).length);
  // Times are the reader's; the hint has them in UTC.
  const hint = await pane.locator(`time[datetime="${wanted.createdAt}"]`).first().getAttribute("title");
  assert.equal(hint, `${wanted.createdAt.replace("T", " ").replace("Z", "")} UTC`);
  await page.keyboard.press("Escape");
  await pane.waitFor({ state: "detached" });
  await page.goBack();
  await pane.waitFor();
});

test("it is opened by its id, or by a link to it, and names the page", async (t) => {
  const page = await open(t);
  const [first, second] = await ask("administrator", "getInteractions", { ...ALL, limit: 2 });
  await signIn(page, "administrator", RANGE);
  const enter = async (text) => {
    await page.getByRole("button", { name: "Open a conversation by its id" }).click();
    await page.getByLabel("Id of a conversation, or a link to it").fill(text);
    await page.keyboard.press("Enter");
  };
  await enter(` ${first.id} `);
  await page.getByRole("heading", { level: 1, name: first.firstMessageText }).waitFor();
  await page.waitForFunction((title) => document.title === title, `${first.firstMessageText} · recap`);
  await enter(at({ view: "conversation", id: second.id }));
  await page.getByRole("heading", { level: 1, name: second.firstMessageText }).waitFor();
  await enter("none");
  await page.getByRole("heading", { name: "There is no such conversation" }).waitFor();
  await page.getByRole("link", { name: "Overview" }).click();
  await page.waitForFunction(() => document.title === "Overview · recap");
});

test("JSON folds, and is copied as it is", async (t) => {
  const page = await open(t, { permissions: ["clipboard-read", "clipboard-write"] });
  const wanted = await one({}, (row) => row.toolCalls.some((call) => call.result && Object.values(call.result).some((part) => part && typeof part === "object")));
  const call = wanted.toolCalls.find((one) => one.result && Object.values(one.result).some((part) => part && typeof part === "object"));
  await signIn(page, "administrator", { view: "conversation", id: wanted.id });
  const entry = page.locator(".call", { hasText: call.toolName }).filter({ has: page.locator(`text=${call.toolCallId}`) });
  await page.locator(".call summary", { hasText: call.toolName }).first().waitFor();
  for (const summary of await page.locator(".call > details > summary").all()) await summary.click();
  const result = entry.locator(".json", { hasText: "Result" }).last();
  await result.getByRole("button", { name: "Copy Result as JSON" }).click();
  assert.deepEqual(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())), call.result);
  const lines = await result.locator(".json-line").count();
  await result.getByRole("button", { name: "Fold all of Result", exact: true }).click();
  assert.equal(await result.locator(".json-line").count(), 0);
  await result.getByRole("button", { name: "Unfold all of Result" }).click();
  assert.ok((await result.locator(".json-line").count()) >= lines);
});

test("the tree leads down and up, and a link leads here", async (t) => {
  const page = await open(t, { permissions: ["clipboard-read", "clipboard-write"] });
  const parent = await one({}, (row) => row.subConversations.some((child) => child.subConversations.length > 0));
  await signIn(page, "administrator", { view: "conversation", id: parent.id });
  await page.getByRole("heading", { level: 1, name: parent.firstMessageText }).waitFor();
  const child = parent.subConversations.find((one) => one.subConversations.length > 0);
  assert.equal(await page.locator(".tree .tree li").count() > 0, true);
  await page.locator(".tree a", { hasText: child.firstMessageText }).first().click();
  await page.getByRole("heading", { level: 1, name: child.firstMessageText }).waitFor();
  await page.getByRole("button", { name: "Copy link to this conversation" }).click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  await page.getByRole("link", { name: "Parent conversation" }).click();
  await page.getByRole("heading", { level: 1, name: parent.firstMessageText }).waitFor();
  await page.goto(link);
  await page.getByRole("heading", { level: 1, name: child.firstMessageText }).waitFor();
  await page.getByRole("link", { name: "All conversations" }).click();
  await page.locator(".body-row").first().waitFor();
});
