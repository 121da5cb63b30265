// /docs behind a proxy that adds a prefix: "try it" asks the service that the page came from.

import assert from "node:assert/strict";
import http from "node:http";
import test from "node:test";
import { RANGE, URL_OF_SYSTEM, open, person } from "./browser.mjs";

const PREFIX = "/behind/a/proxy";

/** Forwards what is below the prefix, without it; everything else is not there. */
async function proxy(t) {
  const server = http.createServer((request, response) => {
    if (!request.url.startsWith(`${PREFIX}/`)) return response.writeHead(404).end();
    const headers = { ...request.headers };
    const forwarded = http.request(new URL(request.url.slice(PREFIX.length), URL_OF_SYSTEM), { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    request.pipe(forwarded);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}${PREFIX}`;
}

for (const behind of ["nothing", "a prefix"]) {
  test(`an operation is tried behind ${behind}`, async (t) => {
    const base = behind === "nothing" ? URL_OF_SYSTEM : await proxy(t);
    const page = await open(t);
    await page.goto(`${base}/docs`);
    await page.locator(".btn.authorize").click();
    const { token } = await person("administrator");
    await page.locator(".auth-container input").fill(token);
    await page.locator(".auth-btn-wrapper .authorize").click();
    await page.locator(".auth-btn-wrapper .btn-done").click();

    const operation = page.locator(".opblock", { has: page.locator('[data-path$="getStats"]') });
    await operation.locator(".opblock-summary").click();
    // The fields are given the description's examples, which are nobody's here, a moment after they are drawn.
    await page.waitForFunction(() => document.querySelector('tr[data-param-name="userId"] input')?.value);
    for (const field of await operation.locator("tr[data-param-name] input").all()) await field.fill("");
    for (const [name, value] of Object.entries(RANGE)) await operation.locator(`tr[data-param-name="${name}"] input`).fill(value);
    const answered = page.waitForResponse((response) => response.url().includes("getStats"));
    await operation.locator(".execute").click();
    const answer = await answered;
    assert.ok(answer.url().startsWith(`${base}/api/dashboard/getStats?`), answer.url());
    assert.equal(answer.status(), 200);
    await operation.locator(".live-responses-table .response-col_status", { hasText: "200" }).waitFor();
  });
}
