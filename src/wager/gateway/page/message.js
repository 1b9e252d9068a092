// What the user said, with numbered lines that citations lead to.

import { count, make, plural, textOf, visible } from "./text.js";

const LINES = 20_000; // lines of a message that are numbered

/** The user's message; with line numbers where it has several lines. */
export function ownMessage(text) {
  const element = make("article", { class: "own", "aria-label": "You" });
  const lines = text.split("\n");
  if (lines.length === 1) {
    element.append(textOf(text));
    return { element, lines, rows: [] };
  }
  const list = make("ol", { class: "lines", tabindex: "0", "aria-label": plural(lines.length, "line") });
  const rows = lines.slice(0, LINES).map((line, at) => make("li", { "data-n": String(at + 1), dir: "auto" }, visible(line)));
  list.append(...rows);
  element.append(list);
  if (lines.length > LINES)
    element.append(make("p", { class: "small" }, `${count(lines.length - LINES)} further lines are sent, and not shown.`));
  return { element, lines, rows };
}

/**
 * Where the cited lines stand in a message. The gateway counts the lines of the material in it, which may begin after a question or a
 * fence: the quotes tell how far both counts lie apart. Gives, by the gateway's number, the position in the message.
 */
export function places(lines, citations) {
  const cited = citations.filter((one) => Number.isInteger(one.line) && one.quote).sort((a, b) => a.line - b.line);
  const found = new Map();
  const holds = (at, one) => at >= 0 && at < lines.length && lines[at].startsWith(one.quote);
  for (let shift = 0; shift < lines.length && cited.length; shift += 1) {
    if (!cited.every((one) => holds(one.line - 1 + shift, one))) continue;
    for (const one of cited) found.set(one.line, one.line - 1 + shift);
    return { found, shift };
  }
  let least = 0; // several blocks numbered through: they lie apart further and further
  for (const one of cited) {
    let at = one.line - 1 + least;
    while (at < lines.length && !holds(at, one)) at += 1;
    if (at >= lines.length) at = lines.findIndex((line) => line.includes(one.quote));
    if (at < 0) continue;
    found.set(one.line, at);
    least = Math.max(least, at - one.line + 1);
  }
  return { found, shift: null };
}

/** Numbers a message as the gateway counts, once that is known: from the first line of the material on, fences left out. */
export function renumber(message, shift) {
  message.rows.forEach((row, at) => {
    const counts = at >= shift && !/^\s*(`{3,}|~{3,})/.test(message.lines[at]);
    row.setAttribute("data-n", counts ? String(at + 1 - shift) : "");
  });
}

/** Goes to a line, marks it, and comes back with Escape. */
export function jump(row, from) {
  for (const one of document.querySelectorAll(".lines .here")) one.classList.remove("here");
  row.classList.add("here");
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  row.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
  const back = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    from.focus();
    row.removeEventListener("keydown", back);
  };
  row.addEventListener("keydown", back);
}
