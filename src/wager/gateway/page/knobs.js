// The knobs: what is sent with a request, where it was moved.

import { call } from "./server.js";
import { KINDS, byId, make, oneLine, share } from "./text.js";

const STEP = 0.05; // of the target's slider

export function options() {
  if (byId("raw").checked) return { act: "raw" };
  const wager = {};
  if (byId("kind").value) wager.kind = byId("kind").value;
  if (target() !== null) wager.target = target();
  if (byId("why").checked) wager.why = true;
  const dials = {};
  for (const dial of document.querySelectorAll("[data-dial]")) if (dial.dataset.moved) dials[dial.dataset.dial] = Number(dial.value);
  if (Object.keys(dials).length) wager.dials = dials;
  return wager;
}

export function target() {
  const place = Number(byId("target").value);
  return place < 0 ? null : Math.round(place * STEP * 100) / 100;
}

export function showKnobs() {
  const aim = target();
  byId("target-shown").textContent = aim === null ? "off" : share(aim);
  byId("target").classList.toggle("off", aim === null);
  byId("target").setAttribute("aria-valuetext", aim === null ? "off" : share(aim));
  const price = aim === null ? null : aim / (1 - aim);
  byId("target-told").textContent =
    aim === null
      ? "The policy decides."
      : `A right answer gains 1 point, a wrong one costs ${price >= 1 ? Math.round(price * 10) / 10 : share(price)}.`;
  for (const dial of document.querySelectorAll("[data-dial]")) {
    const words = dial.dataset.moved ? Number(dial.value).toFixed(1) : "as the policy says";
    byId(dial.id + "-shown").textContent = words;
    dial.setAttribute("aria-valuetext", words);
  }
  const kind = byId("kind").value;
  byId("kind-told").textContent = kind ? KINDS[kind] : "The gateway detects it.";
  const raw = byId("raw").checked;
  for (const one of byId("knob-form").querySelectorAll("#kind, #target, #why, [data-dial]")) one.disabled = raw;
  const set = options();
  const moved =
    Object.keys(set).filter((name) => name !== "why").length + (byId("model").value.trim() ? 1 : 0) + (byId("stream").checked ? 0 : 1);
  byId("moved").textContent = moved ? `(${moved} moved)` : "";
}

export function startKnobs() {
  byId("kind").append(make("option", { value: "" }, "auto"), ...Object.keys(KINDS).map((kind) => make("option", { value: kind }, kind)));
  byId("knob-form").addEventListener("input", (event) => {
    if (event.target.dataset.dial) event.target.dataset.moved = "1";
    showKnobs();
  });
  byId("knob-form").addEventListener("submit", (event) => event.preventDefault());
  byId("knob-form").addEventListener("reset", () => {
    for (const dial of document.querySelectorAll("[data-dial]")) delete dial.dataset.moved;
    setTimeout(showKnobs); // after the browser has put the values back
  });
  byId("key").addEventListener("change", serving);
  const wide = matchMedia("(min-width: 56rem)");
  const fit = () => (byId("knobs").open = wide.matches);
  wide.addEventListener("change", fit);
  fit();
  showKnobs();
}

/** Which model and policy this gateway has. */
export async function serving() {
  try {
    const policy = await (await call("/v1/wager/policy")).json();
    byId("served").textContent = oneLine(`${policy.model || "no model"}, policy ${policy.name || "none"}`);
  } catch (error) {
    byId("served").textContent = error.message;
  }
}
