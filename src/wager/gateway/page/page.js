// The playground: a conversation over the gateway's own API, and which view is shown.

import { dashboard } from "./dashboard.js";
import { options, serving, startKnobs } from "./knobs.js";
import { ownMessage } from "./message.js";
import { Reply } from "./reply.js";
import { Failure, call, events } from "./server.js";
import { byId, make } from "./text.js";

const EXAMPLES = [
  ["A fact", "What is the capital of Kenya?"],
  [
    "A log",
    "What went wrong in this log?\n```\n" +
      "2026-03-02 09:14:01 INFO  stage 4: 400 tasks started\n" +
      "2026-03-02 09:14:37 WARN  executor 7: memory 93 % used\n" +
      "2026-03-02 09:14:52 ERROR executor 7: java.lang.OutOfMemoryError: Java heap space\n" +
      "2026-03-02 09:14:53 ERROR task 377 in stage 4 failed 4 times; aborting job\n" +
      "2026-03-02 09:14:54 INFO  shutdown hook called\n```",
  ],
  ["A story", "Write the first two sentences of a story about a lighthouse that forgets the sea."],
  ["A person", "I failed my exam again and I do not know how to tell my parents."],
];

const turns = []; // {asked, text}: what the conversation is made of
let running = null; // the AbortController of the reply that is being made
let chat = 0; // rises with each new chat, so that a late reply finds out that it is no longer wanted

/** The request: the conversation so far, and of the knobs those that were moved. */
function request(asked) {
  const messages = turns.flatMap((turn) => [
    { role: "user", content: turn.asked },
    { role: "assistant", content: turn.text },
  ]);
  messages.push({ role: "user", content: asked });
  const body = { model: byId("model").value.trim() || "auto", messages, stream: byId("stream").checked };
  const wager = options();
  return Object.keys(wager).length ? { ...body, wager } : body;
}

async function ask(asked) {
  const mine = chat;
  const raw = byId("raw").checked;
  const controller = new AbortController();
  running = controller;
  busy(true);
  byId("empty").hidden = true;
  const message = ownMessage(asked);
  const reply = new Reply(message, raw);
  byId("turns").append(message.element, reply.element);
  reply.follow();
  try {
    await answered(reply, request(asked), controller.signal);
  } catch (error) {
    if (mine !== chat) return;
    reply.fail(error, () => {
      if (running) return;
      message.element.remove();
      reply.element.remove();
      ask(asked);
    });
  } finally {
    reply.settle();
    if (running === controller) {
      running = null;
      busy(false);
    }
  }
  if (mine !== chat || reply.failed || !reply.text) return; // what failed is no part of the conversation
  const turn = { asked, text: reply.text };
  reply.chosen = (text) => (turn.text = text);
  turns.push(turn);
}

async function answered(reply, body, signal) {
  const response = await call("/v1/chat/completions", { body, signal });
  if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
    const whole = await response.json().catch(() => {
      throw new Failure("The reply is no JSON.");
    });
    reply.hear(said(whole.choices?.[0]?.message));
    return reply.finish(whole.wager ?? null, whole.choices?.[0]?.finish_reason);
  }
  let wager = null;
  let ended = null;
  for await (const one of events(response)) {
    const choice = one.choices?.[0];
    if (choice) reply.hear(said(choice.delta));
    wager = one.wager ?? wager;
    ended ??= choice?.finish_reason ?? null;
  }
  if (ended === null) throw new Failure("The reply broke off before its end.");
  reply.finish(wager, ended);
}

/** The text of a message or of a part of one. A call of a tool is told: this page has none to offer. */
function said(message) {
  if (!message) return "";
  if (typeof message.content === "string") return message.content;
  if (Array.isArray(message.content)) return message.content.map((part) => (typeof part?.text === "string" ? part.text : "")).join("\n");
  return typeof message.refusal === "string" ? message.refusal : "";
}

function busy(is) {
  byId("send").disabled = is;
  byId("stop").disabled = !is;
}

function route() {
  const wanted = location.hash === "#dashboard" ? "dashboard" : "chat";
  for (const name of ["chat", "dashboard"]) {
    byId("view-" + name).hidden = name !== wanted;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (wanted === "dashboard") dashboard();
}

function newChat() {
  chat += 1;
  running?.abort();
  running = null;
  turns.length = 0;
  busy(false);
  byId("empty").hidden = false;
  byId("turns").replaceChildren(byId("empty"));
  byId("ask").focus();
}

function submit(event) {
  event?.preventDefault();
  const box = byId("ask");
  if (running || !box.value.trim()) return;
  const asked = box.value;
  box.value = "";
  ask(asked);
}

function start() {
  startKnobs();
  byId("composer").addEventListener("submit", submit);
  byId("ask").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  });
  document.addEventListener("keydown", (event) => event.key === "Escape" && running?.abort());
  byId("stop").addEventListener("click", () => running?.abort());
  byId("new").addEventListener("click", newChat);
  byId("refresh").addEventListener("click", dashboard);
  for (const [name, text] of EXAMPLES) {
    const fill = () => {
      byId("ask").value = text;
      byId("ask").focus();
    };
    byId("examples").append(make("button", { type: "button", click: fill }, name));
  }
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    location.hash = "#chat";
    byId("ask").focus();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => byId("view-dashboard").hidden || dashboard());
  window.addEventListener("hashchange", route);
  route();
  serving();
}

start();
