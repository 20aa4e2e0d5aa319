"use strict";
// Shown while nothing can be made of the file: says why, and gives way to the page.
async function ask() {
  const headers = { "Content-Type": "application/json" };
  const reply = await fetch("program", { method: "POST", headers, body: '{"values": {}}' });
  const { program, problems } = await reply.json();
  if (program) location.reload();
  else document.getElementById("problems").textContent = problems.map((p) => p.text).join("\n");
}
const source = new EventSource("events");
source.onmessage = () => ask();
