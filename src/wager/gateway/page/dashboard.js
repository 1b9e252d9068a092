// The dashboard of the journal. Charts are specifications in charts.json; here they only get their rows.

import { call } from "./server.js";
import { ACTS, KINDS, actName, byId, confidenceWords, count, isNumber, listed, make, oneLine, plural, share, visible } from "./text.js";

let charts = null; // a promise of the specifications, and of the library where it is there
let drawn = 0; // rises with each drawing, so that a late one is dropped

/** Reads the journal and shows it. */
export async function dashboard() {
  const mine = (drawn += 1);
  byId("told").textContent = "Reading the journal ...";
  let summary, last;
  try {
    [summary, last] = await Promise.all(
      ["/v1/wager/summary", "/v1/wager/decisions?limit=50"].map(async (path) => (await call(path)).json()),
    );
  } catch (error) {
    if (mine !== drawn) return;
    byId("figures").hidden = true;
    byId("told").textContent = error.code === "no_journal" ? "This gateway keeps no journal, so there is nothing to show." : error.message;
    return;
  }
  if (mine !== drawn) return;
  const given = summary.feedback ?? {};
  const judged = ["right", "wrong", "unhelpful"].map((one) => `${count(given[one] ?? 0)} ${one}`).join(", ");
  byId("told").textContent = summary.decisions
    ? `${plural(summary.decisions, "decision")}. Readers called ${judged}; ${count(given.none ?? 0)} without feedback.`
    : "Nothing was decided yet. Ask something under Chat.";
  byId("figures").hidden = !summary.decisions;
  if (!summary.decisions) return;
  await draw("acts", actRows(summary), ["kind", "act", "n"], ["Kind", "Done", "Decisions"], {
    height: 30 * Object.keys(summary.acts).length,
  });
  const known = summary.confidence.counts.reduce((sum, one) => sum + one, 0);
  byId("told-confidence").textContent =
    `${count(known)} with a confidence; of ${count(summary.confidence.unknown)} it is unknown, and they stand in no bar.`;
  await draw("confidence", known ? binRows(summary.confidence) : [], ["low", "high", "n"], ["From", "To", "Decisions"]);
  const bins = reliabilityRows(summary.reliability ?? {});
  const used = bins.reduce((sum, row) => sum + row.n, 0);
  byId("told-reliability").textContent = bins.length
    ? `${used === 1 ? "1 reply" : count(used) + " replies"} with a confidence, called right or wrong. On the dashed line it is borne out.`
    : "Once readers call replies with a confidence right or wrong, this shows whether confidence keeps its word.";
  await draw(
    "reliability",
    bins,
    ["what", "mean_confidence", "share_right", "n"],
    ["Confidence is", "Mean confidence", "Called right", "Replies"],
  );
  byId("decisions").replaceChildren(decisionTable(listed(last.data)));
}

function actRows(summary) {
  const order = Object.keys(ACTS);
  const rows = [];
  for (const [kind, acts] of Object.entries(summary.acts)) {
    for (const [act, n] of Object.entries(acts)) rows.push({ kind, act: actName(act), n, rank: order.indexOf(act) });
  }
  const place = (kind) => [...Object.keys(KINDS), "general"].indexOf(kind);
  return rows.sort((a, b) => place(a.kind) - place(b.kind) || a.rank - b.rank);
}

function binRows({ bins, counts }) {
  return counts.map((n, at) => ({ low: at / bins, high: (at + 1) / bins, n }));
}

function reliabilityRows(found) {
  return ["calibrated", "raw"].flatMap((what) => listed(found[what]).map((row) => ({ ...row, what, label: "n = " + row.n })));
}

/** A table of what a chart shows, and the chart where it can be drawn. */
async function draw(name, rows, keys, titles, more = {}) {
  const holder = byId("chart-" + name);
  const table = byId("table-" + name);
  const details = table.closest("details");
  details.hidden = !rows.length;
  const written = (value) =>
    isNumber(value) && !Number.isInteger(value) ? share(value) : isNumber(value) && value > 1 ? count(value) : String(value);
  table.replaceChildren(
    simpleTable(
      titles,
      rows.map((row) => keys.map((key) => written(row[key]))),
    ),
  );
  charts ??= loadCharts();
  const loaded = await charts;
  holder.hidden = !rows.length || loaded === null;
  if (loaded === null) details.open = true;
  if (holder.hidden) return;
  const look = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const spec = { ...structuredClone(loaded[name]), ...more, config: loaded.look[look], datasets: { rows } };
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
    defaultStyle: false,
    logLevel: 1,
    tooltip: { disableDefaultStyle: true },
  };
  try {
    await window.vegaEmbed(holder, spec, options);
  } catch (error) {
    holder.textContent = "This chart cannot be drawn: " + oneLine(error.message);
    details.open = true;
  }
}

/** The specifications, and the library, loaded once; null where there is no library, or it cannot be loaded now. */
async function loadCharts() {
  if (document.documentElement.dataset.charts !== "yes") return null;
  try {
    const found = await (await call("/wager/charts.json")).json();
    await new Promise((good, bad) => document.head.append(make("script", { src: "/wager/vega.js", load: good, error: bad })));
    return found;
  } catch {
    charts = null;
    return null;
  }
}

function simpleTable(titles, rows) {
  const cellOf = (cell, at) =>
    make("td", { "data-label": titles[at] }, ...(cell === "" ? [] : [cell instanceof Node ? cell : visible(cell)]));
  const head = make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cellOf)))));
}

function decisionTable(rows) {
  const titles = ["When", "Kind", "Done", "Confidence", "Feedback", "Policy", "Calls", "ms", "Why"];
  const table = simpleTable(
    titles,
    rows.map((row) => [
      when(row.made),
      String(row.kind),
      make("span", { class: "chip", "data-act": ACTS[row.act] ? row.act : "other" }, actName(row.act)),
      isNumber(row.confidence)
        ? confidenceWords(row)
        : make("span", { class: "unknown", title: oneLine(row.no_confidence ?? "") }, "unknown"),
      row.feedback ?? "",
      oneLine(row.policy ?? ""),
      isNumber(row.cost?.calls) ? count(row.cost.calls) : "",
      isNumber(row.cost?.seconds) ? count(Math.round(1000 * row.cost.seconds)) : "",
      row.reason ? make("details", {}, make("summary", {}, "Why"), visible(row.reason)) : "",
    ]),
  );
  table.className = "decisions";
  return table;
}

function when(made) {
  const time = new Date(made ?? NaN);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleString("en-GB", { dateStyle: "short", timeStyle: "medium" });
}
