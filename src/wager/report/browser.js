"use strict";
// The browser of single answers. Texts of the data reach the page through textContent only.
(() => {
  const data = JSON.parse(document.getElementById("answer-data").textContent);
  const element = (id) => document.getElementById(id);
  const text = (column, row) => {
    const code = data.texts[column].codes[row];
    return code < 0 ? null : data.texts[column].values[code];
  };
  const sources = Object.keys(data.confidence);
  const severalModels = data.texts.model.values.length > 1;
  const armNames = [];
  const armOf = new Int32Array(data.n);
  const known = new Map();
  for (let row = 0; row < data.n; row++) {
    const target = data.target[row];
    const key = (severalModels ? text("model", row) + ": " : "") + text("arm", row) + (target === null ? "" : ", t = " + target);
    if (!known.has(key)) {
      known.set(key, armNames.length);
      armNames.push({ name: key, arm: text("arm", row), target });
    }
    armOf[row] = known.get(key);
  }

  const columns = [
    { title: "Question", get: (row) => text("question", row) ?? text("item", row) },
    { title: "Arm", get: (row) => armNames[armOf[row]].name },
    { title: "Outcome", get: (row) => text("outcome", row) },
    { title: "Answer", get: (row) => text("answer", row) },
    { title: "Reference", get: (row) => text("reference", row) ?? (data.answerable[row] ? null : "none: “I don’t know” is right") },
    ...sources.map((source) => ({ title: "Confidence: " + source.replaceAll("_", " "), number: true, get: (row) => data.confidence[source][row] })),
  ];
  const state = { shown: [], page: 0, size: 25, sort: -1, descending: false, item: null };

  function options(select, names) {
    for (const [value, name] of names) {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = name;
      select.append(option);
    }
    select.closest("label").hidden = names.length < 2;
  }
  const distinct = (column) => data.texts[column].values.map((name, code) => [code, name]);
  const targets = [...new Set(data.target)].sort((a, b) => (a ?? -1) - (b ?? -1));
  options(element("filter-model"), distinct("model"));
  options(element("filter-arm"), distinct("arm"));
  options(element("filter-target"), targets.map((target) => [String(target), target === null ? "none stated" : "t = " + target]));
  options(element("filter-outcome"), distinct("outcome").sort((a, b) => data.outcomes.indexOf(a[1]) - data.outcomes.indexOf(b[1])));
  options(element("filter-stratum"), distinct("stratum").sort((a, b) => (a[1] < b[1] ? -1 : 1)));
  options(element("filter-kind"), new Set(data.answerable).size < 2 ? [] : [["true", "with an answer"], ["false", "without one"]]);

  function containing(query) {
    // Each distinct text is searched once, whatever the number of rows that have it.
    const hits = ["question", "item", "reference", "answer", "reply", "reason"].map((column) => ({
      codes: data.texts[column].codes,
      hit: data.texts[column].values.map((value) => value.toLowerCase().includes(query)),
    }));
    return (row) => hits.some(({ codes, hit }) => codes[row] >= 0 && hit[codes[row]]);
  }

  function filter() {
    const tests = [];
    for (const column of ["model", "arm", "outcome", "stratum"]) {
      const value = element("filter-" + column).value;
      if (value !== "") tests.push((row) => data.texts[column].codes[row] === Number(value));
    }
    const target = element("filter-target").value;
    if (target !== "") tests.push((row) => String(data.target[row]) === target);
    const kind = element("filter-kind").value;
    if (kind !== "") tests.push((row) => String(data.answerable[row]) === kind);
    const query = element("filter-text").value.trim().toLowerCase();
    if (query) tests.push(containing(query));
    if (state.item !== null) tests.push((row) => data.texts.item.codes[row] === state.item);
    const shown = [];
    for (let row = 0; row < data.n; row++) if (tests.every((test) => test(row))) shown.push(row);
    if (state.sort >= 0) {
      const { get, number } = columns[state.sort];
      const sign = state.descending ? -1 : 1;
      const keys = new Map(shown.map((row) => [row, get(row)]));
      shown.sort((a, b) => {
        const x = keys.get(a), y = keys.get(b);
        if (x === null || y === null) return (x === null) - (y === null) || a - b; // what is unknown stays last
        return sign * (number ? x - y : x < y ? -1 : x > y ? 1 : 0) || a - b;
      });
    }
    state.shown = shown;
    state.page = 0;
    draw();
  }

  function make(tag, className, content) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (content !== undefined) node.textContent = content;
    return node;
  }
  const short = (value, length) => (value.length > length ? value.slice(0, length) + "…" : value);

  function detail(row) {
    const line = make("tr", "detail");
    const cell = make("td");
    cell.colSpan = columns.length;
    const list = make("dl");
    const facts = [
      ["Question", text("question", row)], ["Reply", text("reply", row)], ["Read as", text("answer", row)],
      ["Reference", text("reference", row)], ["Why", text("reason", row)], ["Part", text("stratum", row)],
      ["Item", text("item", row)], ["Model", text("model", row)],
    ];
    for (const [name, value] of facts) {
      if (value === null) continue;
      list.append(make("dt", "", name), make("dd", "", value));
    }
    const all = make("button", "", "Show every answer to this question");
    all.type = "button";
    all.addEventListener("click", () => {
      element("filters").reset();
      state.item = data.texts.item.codes[row];
      filter();
    });
    cell.append(list, all);
    line.append(cell);
    return line;
  }

  function line(row) {
    const tr = make("tr");
    columns.forEach((column, index) => {
      const td = make("td", column.number ? "number" : "");
      td.dataset.label = column.title;
      const value = column.get(row);
      if (index === 0) {
        const open = make("button", "open", short(value ?? "–", 160));
        open.type = "button";
        open.setAttribute("aria-expanded", "false");
        open.addEventListener("click", () => {
          const closed = open.getAttribute("aria-expanded") === "false";
          open.setAttribute("aria-expanded", String(closed));
          if (closed) tr.after(detail(row));
          else tr.nextElementSibling.remove();
        });
        td.append(open);
      } else if (column.title === "Outcome") {
        const badge = make("span", "outcome", value);
        badge.dataset.outcome = value;
        td.append(badge);
      } else if (value === null) {
        const reply = column.title === "Answer" ? text("reply", row) : null;
        td.textContent = reply === null || reply.trim() === "" ? "–" : short(reply, 80);
        if (column.title === "Answer") {
          td.classList.add("unread");
          td.title = text("reason", row) ?? "the reply; no answer was read from it";
        } else if (column.number) td.title = "this source gave no value";
      } else {
        td.textContent = column.number ? value.toFixed(2) : short(value, 160);
      }
      tr.append(td);
    });
    return tr;
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(state.shown.length / state.size));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const from = state.page * state.size;
    element("answer-rows").replaceChildren(...state.shown.slice(from, from + state.size).map(line));
    const only = state.item === null ? "" : " to one question";
    element("answer-count").textContent =
      state.shown.length.toLocaleString("en") + " of " + data.n.toLocaleString("en") + " answers" + only;
    element("answer-page").textContent = "Page " + (state.page + 1).toLocaleString("en") + " of " + pages.toLocaleString("en");
    element("page-before").disabled = state.page === 0;
    element("page-after").disabled = state.page >= pages - 1;
    for (const [index, head] of [...element("answer-heads").children].entries()) {
      head.setAttribute("aria-sort", index !== state.sort ? "none" : state.descending ? "descending" : "ascending");
    }
  }

  columns.forEach((column, index) => {
    const th = make("th", column.number ? "number" : "");
    th.scope = "col";
    const button = make("button", "sort", column.title);
    button.type = "button";
    button.addEventListener("click", () => {
      state.descending = state.sort === index && !state.descending;
      state.sort = index;
      filter();
    });
    th.append(button);
    element("answer-heads").append(th);
  });
  if (data.limit && data.texts.reply.values.some((value) => value.length > data.limit)) {
    element("answer-limit").textContent =
      "Texts are cut after " + data.limit.toLocaleString("en") + " characters; answers.parquet holds all of them.";
  }
  let waiting = 0;
  element("filter-text").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 150);
  });
  element("filters").addEventListener("change", (event) => {
    // The text field has its own listener; its "change" comes when it loses the focus, in the middle of a click on a row.
    if (event.target !== element("filter-text")) filter();
  });
  element("filters").addEventListener("submit", (event) => event.preventDefault());
  element("filters").addEventListener("reset", () => {
    state.item = null;
    setTimeout(filter); // the fields are cleared after this event
  });
  const turn = (pages) => { state.page += pages; draw(); element("answers").scrollIntoView(); };
  element("page-before").addEventListener("click", () => turn(-1));
  element("page-after").addEventListener("click", () => turn(1));
  element("page-size").addEventListener("change", () => { state.size = Number(element("page-size").value); state.page = 0; draw(); });
  filter();
})();
