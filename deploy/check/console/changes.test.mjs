// What happens meanwhile shows by itself, and moves nothing that somebody reads.

import assert from "node:assert/strict";
import test from "node:test";
import { open, person, publish, signIn } from "./browser.mjs";

const LIST = { view: "conversations" };
/** How long a change may take from Kafka to the page, in milliseconds. */
const SOON = 2_000;

async function begin(text) {
  const { orgId, userId } = await person("administrator");
  const conversationId = crypto.randomUUID();
  const say = (words) => publish("recap.messages", conversationId, "message.upserted", { conversationId, messageId: crypto.randomUUID(), role: "user", createdAt: new Date().toISOString(), text: words, userId }, orgId);
  say(text);
  return { conversationId, say };
}

const row = (page, id) => page.locator(`[id="row-${id}"]`);

async function live(page) {
  await page.getByRole("button", { name: "Live changes: Live" }).waitFor();
  await page.locator(".body-row").first().waitFor();
}

test("a new conversation shows within two seconds, a changed one where it stands", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  await live(page);
  const { conversationId, say } = await begin("Is this thing on?");
  const published = Date.now();
  await row(page, conversationId).waitFor();
  const took = Date.now() - published;
  t.diagnostic(`a new conversation was on the page ${took} ms after Kafka had it`);
  assert.ok(took < SOON, `${took} ms`);
  const other = await begin("And this?");
  await row(page, other.conversationId).waitFor();
  say("Hello?");
  const said = Date.now();
  await row(page, conversationId).locator(".messages", { hasText: "2" }).waitFor();
  assert.ok(Date.now() - said < SOON, `${Date.now() - said} ms`);
  // It is updated where it stands: below the one that came after it.
  const [first, second] = await page.locator(".body-row").evaluateAll((rows) => rows.sort((a, b) => Number(a.ariaRowIndex) - Number(b.ariaRowIndex)).map((one) => one.id.slice(4)));
  assert.deepEqual([first, second], [other.conversationId, conversationId]);
  await page.getByRole("button", { name: /updated/ }).click();
  await page.waitForFunction((id) => document.querySelector(".body-row[aria-rowindex='2']")?.id === `row-${id}`, conversationId);
});

test("nothing moves while somebody reads", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  await live(page);
  const grid = page.getByRole("treegrid");
  await grid.evaluate((element) => { element.scrollTop = 700; });
  await page.waitForFunction(() => document.querySelectorAll(".body-row").length > 20);
  const middle = page.locator(".body-row").nth(14);
  const id = await middle.getAttribute("id");
  const before = await page.locator(`[id="${id}"]`).boundingBox();
  await begin("Does the list jump?");
  await page.getByRole("button", { name: /1 new/ }).waitFor();
  const after = await page.locator(`[id="${id}"]`).boundingBox();
  assert.equal(after.y, before.y);
  await page.getByRole("button", { name: /1 new/ }).click();
  await page.getByRole("link", { name: "Does the list jump?" }).waitFor();
  // At the beginning too, when the pointer is on a row.
  await grid.hover({ position: { x: 200, y: 120 } });
  const first = await page.locator(".body-row[aria-rowindex='2']").getAttribute("id");
  const top = (await page.locator(`[id="${first}"]`).boundingBox()).y;
  const { conversationId } = await begin("And now?");
  await row(page, conversationId).waitFor({ state: "attached" });
  assert.equal((await page.locator(`[id="${first}"]`).boundingBox()).y, top);
});

test("an open conversation and the figures follow", async (t) => {
  const { conversationId, say } = await begin("Tell me more.");
  const page = await open(t);
  await signIn(page, "administrator", { view: "conversation", id: conversationId });
  await page.getByRole("heading", { level: 1, name: "Tell me more." }).waitFor();
  say("Much more.");
  await page.locator(".fact", { hasText: "Messages" }).getByText("2", { exact: true }).waitFor({ timeout: SOON });
  await page.getByRole("link", { name: "Overview" }).click();
  const tile = page.locator(".tile", { hasText: "Conversations" }).first().locator(".tile-value");
  await page.getByRole("button", { name: "Live changes: Live" }).waitFor();
  await page.waitForFunction(() => /\d/.test(document.querySelector(".tile-value")?.textContent ?? ""));
  const count = Number((await tile.getAttribute("title")).replaceAll(",", ""));
  await begin("One more.");
  await page.waitForFunction((wanted) => Number(document.querySelector(".tile-value")?.getAttribute("title")?.replaceAll(",", "")) === wanted, count + 1);
});

test("paused is paused", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  await live(page);
  await page.getByRole("button", { name: "Live changes: Live" }).click();
  const quiet = await begin("Nobody hears me.");
  const loud = await open(t);
  await signIn(loud, "administrator", LIST);
  await row(loud, quiet.conversationId).waitFor();
  assert.equal(await row(page, quiet.conversationId).count(), 0);
  await page.getByRole("button", { name: "Live changes: Paused" }).click();
  await row(page, quiet.conversationId).waitFor();
});
