// One reply: its text with citations and branches, and below it what was decided.

import { jump, places, renumber } from "./message.js";
import { Failure, call } from "./server.js";
import {
  ACTS,
  actName,
  byId,
  confidenceWords,
  count,
  isNumber,
  listed,
  make,
  oneLine,
  plural,
  share,
  tell,
  textOf,
  visible,
} from "./text.js";

const SHOWN = 100_000; // characters that are drawn while they come
const JUMPS = 2_000; // labels of a reply that become buttons

export class Reply {
  constructor(message, raw) {
    this.message = message;
    this.raw = raw;
    this.text = "";
    this.drawn = 0; // characters of it that stand on the page
    this.frame = null;
    this.place = null; // where the view was scrolled to; from there on the reader scrolls
    this.failed = false;
    this.chosen = () => {};
    this.node = document.createTextNode("");
    this.holder = make("div", { class: "text", dir: "auto" }, this.node);
    this.waiting = make("p", { class: "waiting small" }, "thinking");
    this.element = make("article", { class: "reply", "aria-label": "Reply", "aria-busy": "true" }, this.waiting, this.holder);
    const began = performance.now();
    this.clock = setInterval(() => (this.waiting.textContent = `thinking, ${Math.round((performance.now() - began) / 1000)} s`), 1000);
  }

  /** A part of the text; it is drawn with the next frame, however many parts come until then. */
  hear(part) {
    if (!part) return;
    this.text += part;
    this.frame ??= requestAnimationFrame(() => this.grow());
  }

  /** Draws what came since. The node grows: what stands there already is not drawn anew. */
  grow() {
    this.frame = null;
    this.waiting.hidden = true;
    const end = Math.min(this.text.length, SHOWN);
    if (end <= this.drawn) return;
    this.node.appendData(visible(this.text.slice(this.drawn, end)));
    this.drawn = end;
    this.follow();
  }

  /** No longer under way, however it ended. */
  settle() {
    clearInterval(this.clock);
    cancelAnimationFrame(this.frame);
    if (this.node.isConnected) this.grow();
    this.waiting.remove();
    this.element.removeAttribute("aria-busy");
    this.follow();
  }

  /** Scrolls as the reply grows, until its question stands at the top; no further, and not against the reader. */
  follow() {
    const view = byId("turns");
    if (this.place !== null && Math.abs(view.scrollTop - this.place) > 2) return;
    const top = Math.max(this.message.element.offsetTop - 12, this.element.offsetTop - view.clientHeight / 2);
    view.scrollTop = Math.min(top, view.scrollHeight - view.clientHeight);
    this.place = view.scrollTop;
  }

  fail(error, again) {
    const stopped = error.name === "AbortError";
    this.failed = !stopped;
    const words = stopped ? "Stopped." : error instanceof Failure ? error.message : "This page failed: " + oneLine(error.message);
    const line = make("p", { class: stopped ? "small" : "failed", role: stopped ? "status" : "alert" }, words + " ");
    if (!stopped) line.append(make("button", { type: "button", click: again }, "Try again"));
    this.element.append(line);
  }

  /** The text with its citations, and below it what was decided. */
  finish(wager, how) {
    const cut = { length: "The model reached its limit here: the text is cut.", content_filter: "The model's server withheld the rest." }[
      how
    ];
    if (cut) this.element.append(make("p", { class: "small" }, cut));
    if (!this.text) this.element.append(make("p", { class: "small" }, "The reply is empty."));
    if (wager === null) {
      this.redraw([]);
      const words = this.raw ? "passed through: nothing was detected, decided or kept" : "no decision came with this reply";
      this.element.append(make("footer", { class: "decided" }, make("p", {}, make("span", { class: "chip" }, "Raw"), " " + words)));
      tell("Raw reply: " + this.text.slice(0, 600));
      return;
    }
    const branches = listed(wager.branches).filter((one) => typeof one === "string");
    const citations = listed(wager.citations).filter((one) => one && typeof one.label === "string");
    this.element.dataset.act = ACTS[wager.act] ? wager.act : "other";
    this.redraw(citations);
    if (branches.length) this.holder.replaceWith((this.holder = this.sideBySide([this.text, ...branches], wager)));
    this.element.append(this.decided(wager, citations));
    tell(`${actName(wager.act)}. ${confidenceWords(wager)}. ${this.text.slice(0, 600)}`);
  }

  /** Draws the text, in which the labels of citations are buttons. */
  redraw(citations) {
    const { found, shift } = places(this.message.lines, citations);
    if (shift) renumber(this.message, shift);
    this.jumps = new Map(citations.map((one) => [one.label, this.jumpOf(one, found)]));
    const labels = [...this.jumps.keys()].filter(Boolean).sort((a, b) => b.length - a.length);
    const pattern = labels.length ? new RegExp(labels.map((one) => one.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "g") : null;
    const fill = (holder, part) => {
      let from = 0;
      let made = 0;
      for (const match of pattern ? part.matchAll(pattern) : []) {
        if ((made += 1) > JUMPS) break;
        holder.append(visible(part.slice(from, match.index)), this.button(match[0]));
        from = match.index + match[0].length;
      }
      holder.append(visible(part.slice(from)));
    };
    const drawn = textOf(this.text, fill);
    this.holder.replaceWith(drawn);
    this.holder = drawn;
  }

  /** What a label leads to: {wrong, words, go}. */
  jumpOf(one, found) {
    const row = this.message.rows[found.get(one.line)];
    if (!one.verified)
      return { wrong: true, words: "named in vain: what it is cited for does not stand there", go: row ? (from) => jump(row, from) : null };
    if (row) return { wrong: false, words: `goes to line ${one.line} of your message`, go: (from) => jump(row, from) };
    return { wrong: false, words: one.title ? `from "${one.title}"` : "a cited place", go: (from) => this.toSource(one.label, from) };
  }

  button(label) {
    const { wrong, words, go } = this.jumps.get(label);
    const title = oneLine(words);
    const name = `${visible(label)}, ${title}`;
    const made = make(
      "button",
      { type: "button", class: wrong ? "cite wrong" : "cite", title, "aria-label": name, disabled: go === null },
      visible(label),
    );
    if (go) made.addEventListener("click", () => go(made));
    return made;
  }

  /** Opens the list of sources at one of them. */
  toSource(label, from) {
    const list = this.element.querySelector(".sources");
    const item = [...(list?.querySelectorAll("li") ?? [])].find((one) => one.dataset.label === label);
    if (!item) return;
    list.open = true;
    item.tabIndex = -1;
    item.focus();
    item.scrollIntoView({ block: "nearest" });
    item.addEventListener("keydown", (event) => event.key === "Escape" && from.focus(), { once: true });
  }

  /** The versions of an invented text; the one that is chosen is the reply from then on. */
  sideBySide(texts, wager) {
    const buttons = [];
    const choose = (at) => {
      this.text = texts[at];
      this.chosen(texts[at]);
      buttons.forEach((one, place) => {
        one.setAttribute("aria-pressed", String(place === at));
        one.textContent = place === at ? "In use" : "Use this one";
        one.closest("article").classList.toggle("in-use", place === at);
      });
    };
    const columns = texts.map((text, at) => {
      const button = make("button", { type: "button", click: () => (choose(at), tell(`Version ${at + 1} is in use.`)) });
      buttons.push(button);
      const head = make("div", { class: "head" }, make("b", {}, `Version ${at + 1}`), button);
      return make("article", { class: "branch", "aria-label": `Version ${at + 1}` }, head, textOf(text));
    });
    choose(0);
    const differ = isNumber(wager.distinct) ? `; ${Math.round(100 * wager.distinct)} % of the pairs differ in content` : "";
    return make(
      "div",
      {},
      make("p", { class: "small" }, `${plural(texts.length, "version")}${differ}. The one in use goes on in this chat.`),
      make("div", { class: "branches" }, ...columns),
    );
  }

  /** What was decided: act, confidence, kind, notes, sources, reasons, feedback. */
  decided(wager, citations) {
    const footer = make("footer", { class: "decided" });
    const meaning = ACTS[wager.act]?.[1] ?? "";
    footer.append(
      make(
        "p",
        { class: "line" },
        make("span", { class: "chip" }, actName(wager.act)),
        make("span", { class: "small" }, meaning),
        make("span", { class: "tag", title: "kind of task" }, kindWords(wager)),
      ),
      confidenceBar(wager),
    );
    for (const note of listed(wager.notes)) footer.append(make("p", { class: "note small" }, "Note: " + oneLine(note) + "."));
    if (citations.length) footer.append(this.sources(citations));
    const searched = listed(wager.lookups).map(
      (one) =>
        `${oneLine(one.lookup)}: ${plural(one.passages, "passage")} found, ${one.used} used` +
        (one.problem ? ` (${oneLine(one.problem)})` : ""),
    );
    if (searched.length) footer.append(make("p", { class: "small" }, "Looked up in " + searched.join("; ") + "."));
    if (wager.reason !== undefined) footer.append(reasons(wager));
    footer.append(make("p", { class: "small cost" }, costWords(wager)), feedback(wager.id));
    return footer;
  }

  sources(citations) {
    const wrong = citations.filter((one) => !one.verified).length;
    const title = plural(citations.length, "citation") + (wrong ? `, ${wrong} of them in vain` : ", checked");
    const items = citations.slice(0, 200).map((one) => {
      const item = make("li", { "data-label": one.label }, this.button(one.label), " ");
      if (one.title) item.append(make("b", { dir: "auto" }, oneLine(one.title)), " ");
      const link = webLink(one.uri);
      if (link) item.append(link, " ");
      if (!one.verified) item.append(make("span", { class: "bad" }, "does not hold what it is cited for "));
      item.append(make("q", { class: "quote", dir: "auto" }, visible(one.quote ?? "")));
      return item;
    });
    return make("details", { class: "sources", open: items.length <= 4 }, make("summary", {}, title), make("ul", {}, ...items));
  }
}

/** The kind and how sure that is; of `general` the likeliest kind was not sure enough. */
export function kindWords(wager) {
  const by = { client: "as you set it", "system prompt": "by the system prompt", default: "by default" }[wager.by] ?? "not detected";
  if (!isNumber(wager.kind_probability)) return `kind: ${visible(wager.kind)}, ${by}`;
  const sure = share(wager.kind_probability);
  return wager.kind === "general" ? `kind: general, as no kind is sure (at most ${sure})` : `kind: ${visible(wager.kind)} (${sure})`;
}

/** A link to a page of the web; null for any other address, which stays text. */
export function webLink(uri) {
  let address;
  try {
    address = new URL(uri);
  } catch {
    return null;
  }
  if (address.protocol !== "https:" && address.protocol !== "http:") return null;
  return make(
    "a",
    { href: address.href, rel: "noopener noreferrer", target: "_blank" },
    visible(address.href.length > 90 ? address.href.slice(0, 87) + "..." : address.href),
  );
}

/** The confidence as a bar with a mark at the target; without one, the words alone. */
export function confidenceBar(wager) {
  const words = confidenceWords(wager);
  if (!isNumber(wager.confidence)) return make("p", { class: "confidence none" }, words[0].toUpperCase() + words.slice(1) + ".");
  const value = Math.min(1, Math.max(0, wager.confidence));
  const fill = make("i", { class: "fill" });
  fill.style.width = `${100 * value}%`; // through the object model: the page's policy allows no other style
  const track = make(
    "div",
    {
      class: "track",
      role: "meter",
      "aria-label": "Confidence",
      "aria-valuemin": "0",
      "aria-valuemax": "1",
      "aria-valuenow": String(value),
    },
    fill,
  );
  let aim = "";
  if (isNumber(wager.target)) {
    const mark = make("i", { class: "mark", title: `target ${share(wager.target)}` });
    mark.style.left = `${100 * Math.min(1, Math.max(0, wager.target))}%`;
    track.append(mark);
    aim = `; target ${share(wager.target)}`;
  }
  track.setAttribute("aria-valuetext", words + aim);
  return make("div", { class: "confidence" }, track, make("span", { title: wager.calibration_id ?? "not calibrated" }, words + aim));
}

export function costWords(wager) {
  const cost = wager.cost ?? {};
  const parts = [`policy ${oneLine(wager.policy || "none")}`];
  if (isNumber(cost.calls)) parts.push(plural(cost.calls, "call"));
  const known = isNumber(cost.tokens_in) && isNumber(cost.tokens_out);
  parts.push(known ? `${count(cost.tokens_in)} tokens read, ${count(cost.tokens_out)} written` : "tokens not told");
  if (isNumber(cost.seconds)) parts.push(`${count(Math.round(1000 * cost.seconds))} ms`);
  if (isNumber(cost.overhead_ms)) parts.push(`of which the gateway ${cost.overhead_ms.toFixed(1)} ms`);
  return parts.join(" · ");
}

/** Why: the reason, what was compared, the kinds and the axes. */
export function reasons(wager) {
  const facts = make("dl", { class: "facts" });
  const add = (name, value) => value !== null && value !== undefined && facts.append(make("dt", {}, name), make("dd", {}, visible(value)));
  const shares = (found) =>
    Object.entries(found ?? {})
      .filter((one) => isNumber(one[1]))
      .sort((a, b) => b[1] - a[1])
      .map(([name, value]) => `${name} ${share(value)}`)
      .join(", ") || null;
  add("Reason", wager.reason);
  add("Kind decided by", wager.by);
  add("Compared with", isNumber(wager.threshold) ? `${share(wager.threshold)}, the threshold` : null);
  add("Raw confidence", isNumber(wager.raw) ? share(wager.raw) : null);
  add("Said as", wager.shade);
  add("Kinds", shares(wager.probabilities));
  add("Axes", shares(wager.axes));
  add("Model", wager.model);
  add("Decision", wager.id);
  return make("details", { class: "why" }, make("summary", {}, "Why"), facts);
}

export function feedback(id) {
  const told = make("span", { class: "small", role: "status" });
  const buttons = [
    ["right", "Right"],
    ["wrong", "Wrong"],
    ["unhelpful", "Unhelpful"],
  ].map(([verdict, word]) => {
    return make("button", { type: "button", "aria-pressed": "false", "data-verdict": verdict, click: () => send(verdict) }, word);
  });
  async function send(verdict) {
    try {
      await call("/v1/feedback", { body: { id, verdict } });
    } catch (error) {
      told.textContent = error.code === "no_journal" ? "Not kept: this gateway keeps no journal." : "Not kept. " + error.message;
      return;
    }
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.verdict === verdict));
    told.textContent = "Kept.";
  }
  return make("div", { class: "feedback", role: "group", "aria-label": "Was this reply right?" }, ...buttons, told);
}
