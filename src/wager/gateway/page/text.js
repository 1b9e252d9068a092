// Elements and words. What a model, a document or a journal holds is put on the page as text only: no markup is ever made of it.

export const ACTS = {
  answer: ["Answered", "the answer as it stands"],
  hedge: ["Hedged", "an answer, and how far to trust it"],
  look_up: ["Looked up", "an answer from what was found"],
  clarify: ["Asked back", "a question before an answer"],
  abstain: ["Abstained", "no answer rather than a guess"],
  refuse: ["Refused", "the model declined"],
  imagine: ["Invented", "fiction, ideas or play: nothing here is a claim"],
  support: ["Listened", "a reply to a person, not to a question"],
};

export const KINDS = {
  factual: "facts about the world",
  debugging: "a log, a trace, code",
  reasoning: "something to work out",
  creative: "one invented text",
  brainstorm: "many ideas",
  personal: "feelings, one's own life",
  transform: "a text in another form",
  smalltalk: "chat",
};

const SOURCES = {
  logprob: "token probabilities",
  logprob_mean: "token probabilities, mean",
  p_true: "P(true)",
  stated: "stated by the model",
  verbal: "in its own words",
};

const SHOWN = 100_000; // characters of a text that are drawn at once

export const byId = (id) => document.getElementById(id);

/** An element. Children are elements, or texts that stay texts; an attribute of null or false is left out, a function listens. */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null && value !== false && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A text whose control characters can be seen: they could end a line, turn its direction, or say nothing at all. */
export function visible(text) {
  return String(text)
    .replace(/\r\n?/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g, (one) => {
      return "⟨U+" + one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩";
    });
}

export const count = (number) => Number(number).toLocaleString("en");
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
/** A share in two digits; never rounded to none or all unless it is. */
export const share = (value) => (value > 0 && value < 0.005 ? "<0.01" : value < 1 && value >= 0.995 ? ">0.99" : Number(value).toFixed(2));
export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
export const listed = (value) => (Array.isArray(value) ? value : []);

export function oneLine(text) {
  const line = visible(text).replace(/\s+/g, " ").trim();
  return line.length > 400 ? line.slice(0, 397) + "..." : line;
}

/** What a screen reader is told. */
export function tell(text) {
  byId("status").textContent = text;
}

/** A block of text, of which a long one shows its beginning first. */
export function textOf(text, fill = (holder, part) => holder.append(visible(part))) {
  const holder = make("div", { class: "text", dir: "auto" });
  fill(holder, text.slice(0, SHOWN));
  if (text.length <= SHOWN) return holder;
  const more = make("button", { type: "button", class: "more" }, `Show all ${count(text.length)} characters`);
  more.addEventListener("click", () => {
    holder.replaceChildren();
    fill(holder, text);
    more.remove();
  });
  return make("div", {}, holder, more);
}

export const actName = (act) => ACTS[act]?.[0] ?? visible(String(act));

export function confidenceWords(wager) {
  if (!isNumber(wager.confidence)) return `no confidence: ${oneLine(wager.no_confidence ?? "none was measured")}`;
  const source = SOURCES[wager.source] ?? String(wager.source ?? "source not told").replaceAll("_", " ");
  return `${share(wager.confidence)}, ${source}, ${wager.calibration_id ? "calibrated" : "raw"}`;
}
