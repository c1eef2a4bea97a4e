#!/usr/bin/env node
// Starts the program that npm installed for this machine, and ends as it ends.
"use strict";

const { spawn } = require("child_process");

// A machine without glibc runs the static program only; one with glibc runs both.
function packages() {
  const name = `@crmauth/${process.platform}-${process.arch}`;
  if (process.platform !== "linux") return [name];
  // Else the report asks DNS for the names of all connections.
  process.report.excludeNetwork = true;
  const glibc = process.report.getReport().header.glibcVersionRuntime;
  return glibc ? [name, `${name}-musl`] : [`${name}-musl`];
}

function program() {
  const file = process.platform === "win32" ? "crmauth.exe" : "crmauth";
  const names = packages();
  for (const name of names) {
    try {
      return require.resolve(`${name}/bin/${file}`);
    } catch {
      // It is not installed.
    }
  }
  console.error(`error: the package ${names[0]} is not installed`);
  console.error("hint: install crmauth with optional dependencies; other systems build it with cargo");
  process.exit(1);
}

const child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`error: ${error.message}`);
  process.exit(126);
});
child.on("exit", (code, signal) => {
  if (!signal) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
