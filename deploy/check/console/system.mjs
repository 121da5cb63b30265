// Runs a command beside a living `recap dev`: node system.mjs RECAP COMMAND… gives it RECAP (the program), CONSOLE_URL, KAFKA, DATABASE_URL and XDG_RUNTIME_DIR
// (by which `recap token` finds the signing key), and ends with its exit code.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import readline from "node:readline";

const CONVERSATIONS = process.env.CONVERSATIONS ?? "6000";

const [recap, command, ...rest] = process.argv.slice(2);
const runtime = mkdtempSync(path.join(tmpdir(), "recap-console-"));
const env = { ...process.env, XDG_RUNTIME_DIR: runtime };
delete env.DATABASE_URL;
delete env.KAFKA_BOOTSTRAP_SERVERS;

// At this rate nothing happens but what a test publishes.
const dev = spawn(recap, ["dev", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", `--conversations=${CONVERSATIONS}`, `--rate=${process.env.RATE ?? "0"}`], {
  env, stdio: ["ignore", "pipe", "inherit"],
});
const ended = new Promise((resolve) => dev.on("exit", resolve));

async function addresses() {
  const found = {};
  for await (const line of readline.createInterface({ input: dev.stdout })) {
    const [, url] = /^open (http:\S+)\/console$/.exec(line) ?? [];
    const [, kafka] = /^Kafka +(\S+)$/.exec(line) ?? [];
    const [, database] = /^PostgreSQL +(\S+)$/.exec(line) ?? [];
    Object.assign(found, url && { url }, kafka && { kafka }, database && { database });
    if (found.url && found.kafka && found.database) return found;
  }
  throw new Error("recap dev ended before it was ready");
}

let code = 1;
try {
  const { url, kafka, database } = await addresses();
  // What it prints later must not fill the pipe.
  dev.stdout.resume();
  const child = spawn(command, rest, { env: { ...env, RECAP: recap, CONSOLE_URL: url, KAFKA: kafka, DATABASE_URL: database }, stdio: "inherit" });
  code = await new Promise((resolve) => child.on("exit", (status) => resolve(status ?? 1)));
} finally {
  dev.kill("SIGTERM");
  await ended;
  rmSync(runtime, { recursive: true, force: true });
}
process.exit(code);
