// The vendored files are those of their packages: node vendored.mjs VENDOR NODE_MODULES LOCK.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";

const [vendor, modules, lock] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync(lock, "utf8"));
for (const entry of JSON.parse(readFileSync(path.join(vendor, "manifest.json"), "utf8"))) {
  const locked = packages[`node_modules/${entry.package}`];
  assert.equal(locked.version, entry.version, `${entry.file}: another version is locked`);
  assert.equal(locked.integrity, entry.integrity, `${entry.file}: the package has another hash`);
  let original = readFileSync(path.join(modules, entry.package, entry.from), "utf8");
  if (entry.replaced) {
    assert.equal(original.split(entry.replaced[0]).length, 2, `${entry.file}: ${entry.replaced[0]} stands once in the package's file`);
    original = original.replace(entry.replaced[0], entry.replaced[1]);
  }
  assert.equal(readFileSync(path.join(vendor, entry.file), "utf8"), original, `${entry.file} is not the package's file`);
  assert.equal(readFileSync(path.join(vendor, "licenses", entry.package), "utf8"), readFileSync(path.join(modules, entry.package, "LICENSE"), "utf8"));
}
console.log("vendored files are those of their packages");
