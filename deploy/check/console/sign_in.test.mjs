// Everybody sees what they may see, and nothing else.

import assert from "node:assert/strict";
import test from "node:test";
import { RANGE, ask, at, drawn, open, people, person, shows, signIn, token } from "./browser.mjs";

const LIST = { view: "conversations", ...RANGE };

test("an administrator sees everybody's conversations", async (t) => {
  const page = await open(t);
  await signIn(page, "administrator", LIST);
  const rows = await shows(page, "administrator", { ...RANGE, allInOrg: "true" });
  assert.ok(new Set(rows.map((row) => row.userId)).size > 2, "the sample has one user only");
  await page.getByRole("button", { name: "Mine" }).click();
  const { userId } = await person("administrator");
  const mine = await shows(page, "administrator", RANGE);
  assert.ok(mine.length > 0 && mine.every((row) => row.userId === userId));
});

test("a member sees their own alone", async (t) => {
  const page = await open(t);
  await signIn(page, "member", LIST);
  const { userId, name } = await person("member");
  const rows = await shows(page, "member", RANGE);
  assert.ok(rows.length > 0 && rows.every((row) => row.userId === userId));
  assert.deepEqual(new Set(await page.locator(".body-row .person").allTextContents()), new Set([name]));
  assert.equal(await page.getByRole("button", { name: "Everyone" }).count(), 0);
});

test("another organization's administrator sees nothing of the first", async (t) => {
  const page = await open(t);
  await signIn(page, "other", LIST);
  await shows(page, "other", { ...RANGE, allInOrg: "true" });
  const theirs = new Set((await ask("administrator", "getInteractions", { ...RANGE, allInOrg: "true", exclude: "toolCalls,feedbackData" })).map((row) => row.id));
  assert.ok((await drawn(page)).every((id) => !theirs.has(id)));
});

test("a shared link shows no more than its reader may see", async (t) => {
  const { userId } = await person("member");
  const rows = await ask("administrator", "getInteractions", { ...RANGE, allInOrg: "true", limit: 100 });
  const foreign = rows.find((row) => row.userId !== userId);
  for (const who of ["member", "other"]) {
    const page = await open(t);
    await signIn(page, who, { view: "conversation", id: foreign.id });
    await page.getByRole("heading", { name: "There is no such conversation" }).waitFor();
  }
  const page = await open(t);
  await signIn(page, "member", { ...LIST, scope: "all" });
  await page.getByRole("heading", { name: "Only administrators may see this" }).waitFor();
  await page.getByRole("button", { name: "Show my conversations" }).click();
  await shows(page, "member", RANGE);
});

test("signing out forgets who one was; the chooser is for this machine only", async (t) => {
  const page = await open(t);
  await signIn(page, "member", LIST);
  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.locator(".person-card").first().waitFor();
  await page.reload();
  await page.locator(".person-card").first().waitFor();
  assert.equal((await people()).length, 3);
  for (const headers of [{ "Sec-Fetch-Site": "cross-site" }, { "Sec-Fetch-Site": "same-site" }]) {
    const response = await fetch(`${process.env.CONSOLE_URL}/console/dev-session.json`, { headers });
    assert.equal(response.status, 404);
  }
});

test("a token is taken in place of a person", async (t) => {
  const page = await open(t);
  await page.goto(at(LIST));
  const { userId, orgId } = await person("member");
  const use = async (text) => {
    await page.getByText("Or use a token").click();
    await page.getByLabel("Session token").fill(text);
    await page.getByRole("button", { name: "Sign in with it" }).click();
  };
  await use(token("--org", orgId, "--user", userId));
  await shows(page, "member", RANGE);
});

test("a token that is replaced in time goes unnoticed", async (t) => {
  const page = await open(t);
  await page.clock.install({ time: new Date() });
  await signIn(page, "member", LIST);
  await shows(page, "member", RANGE);
  const renewed = page.waitForRequest(/dev-session\.json/);
  // Two minutes is what the sample's tokens last.
  await page.clock.fastForward(115_000);
  await page.getByLabel("Order").selectOption("totalTokens");
  await renewed;
  await shows(page, "member", { ...RANGE, sort: "totalTokens" });
});
