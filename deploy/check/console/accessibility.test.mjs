// axe finds nothing on any page, in light and dark, on a phone, and where something is wrong.

import test from "node:test";
import { RANGE, accessible, ask, at, open, signIn } from "./browser.mjs";

const LOOKS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
  "phone-dark": { colorScheme: "dark", viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
};

for (const [look, options] of Object.entries(LOOKS)) {
  test(`every page in ${look}`, async (t) => {
    const page = await open(t, options);
    const check = (name) => accessible(page, `${name} in ${look}`);
    await page.goto(at());
    await page.locator(".person-card").first().waitFor();
    await check("sign-in");

    await signIn(page, "administrator");
    await page.locator(".bar-button").first().waitFor();
    await page.locator(".u-over").nth(4).waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll(".bar-label")].every((label) => !/^(user_|\d+$)/.test(label.textContent ?? "")));
    await check("overview");
    await page.locator("main").evaluate((main) => main.scrollTo(0, 10_000));
    await check("overview-below");
    await page.getByRole("button", { name: "Messages as a table" }).click();
    await page.getByLabel("Split the chart").selectOption("agentId");
    await page.locator("main").evaluate((main) => main.scrollTo(0, 0));
    await page.locator(".legend-item").nth(3).waitFor();
    await check("overview-split");

    await page.goto(at({ view: "conversations", ...RANGE, toolError: "true" }));
    await page.locator(".body-row").first().waitFor();
    await check("list");
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByRole("button", { name: "NDJSON" }).waitFor();
    await check("export");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Open a conversation by its id" }).click();
    await page.getByLabel("Id of a conversation").waitFor();
    await check("open");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Filter", exact: true }).click();
    await page.getByRole("option", { name: "Agent" }).click();
    await page.getByRole("dialog").getByRole("option").nth(2).waitFor();
    await check("filter");
    await page.keyboard.press("Escape");

    const rows = await ask("administrator", "getInteractions", { ...RANGE, allInOrg: "true", toolError: "true", feedback: "any", limit: 100 });
    const full = rows.find((row) => row.subConversations.length > 0) ?? rows[0];
    await page.goto(at({ view: "conversations", ...RANGE, id: full.id }));
    await page.getByRole("heading", { level: 1, name: full.firstMessageText }).waitFor();
    await check("beside");
    await page.goto(at({ view: "conversation", id: full.id }));
    await page.locator(".call.failed summary").first().click();
    await page.locator(".json-line").first().waitFor();
    await check("conversation");
    await page.locator("main").evaluate((main) => main.scrollTo(0, 10_000));
    await check("conversation-below");

    for (const [name, place, title] of [
      ["nothing", { view: "conversations", ...RANGE, model: "none" }, "No conversation matches"],
      ["unreadable", { view: "conversations", ...RANGE, agentId: "x" }, "This filter cannot be read"],
      ["unknown", { view: "conversation", id: "none" }, "There is no such conversation"],
    ]) {
      await page.goto(at(place));
      await page.getByRole("heading", { name: title }).waitFor();
      await check(name);
    }
    await page.getByRole("button", { name: /^Account/ }).click();
    await page.getByRole("button", { name: "Sign out" }).waitFor();
    await check("account");
  });
}
