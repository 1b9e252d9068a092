"use strict";
// Looks numbers up at the slider's target and hands them to the table and to the charts, which are Vega-Lite specifications.
// Names reach the page through textContent, and the charts as values; a group is known by its place, never by its name.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("explorer-data");
  const specs = read("explorer-charts");
  const element = (id) => document.getElementById(id);
  const { grid, groups, palette } = data;
  const sorts = [...element("sort").options].map((option) => option.value);
  const sources = [...new Set(groups.flatMap((group) => group.confidences.map((one) => one.source)))];
  const GREY = "#78716c";
  const TOP = 5; // groups in a category's panel, besides the highlighted ones
  const PANELS = 40;
  const state = { t: 0, sel: null, ref: null, sort: "rank", src: 0, own: false, hover: null };

  // Words

  const points = (value) => {
    if (value === null || value === undefined) return "–";
    const text = value.toFixed(2);
    return Number(text) === 0 ? "0.00" : (value > 0 ? "+" : "") + text.replace("-", "−");
  };
  const range = (low, high) => (low === null || high === null ? "" : "[" + points(low) + ", " + points(high) + "]");
  const count = (value) => value.toLocaleString("en");
  const aside = (name) => "\u2068" + name + "\u2069"; // a right-to-left name keeps the order of the words around it
  const short = (name, length) => ([...name].length > length ? [...name].slice(0, length - 1).join("") + "…" : name);
  const price = (t) => {
    const cost = String(Number((t / (1 - t)).toPrecision(3)));
    return cost === "0" ? "nothing" : cost + (cost === "1" ? " point" : " points");
  };
  const spoken = (t) => "t = " + t + ": a wrong answer costs " + price(t);
  const ordinal = (n) => n + (n % 100 >= 11 && n % 100 <= 13 ? "th" : ["th", "st", "nd", "rd"][n % 10] || "th");

  function make(tag, className, content) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (content !== undefined) node.textContent = content;
    return node;
  }
  function put(node, content) {
    if (node.textContent !== content) node.textContent = content;
  }

  // What is shown at a target

  const place = (t) => {
    let best = 0;
    for (let k = 1; k < grid.length; k++) if (Math.abs(grid[k] - t) < Math.abs(grid[best] - t)) best = k;
    return best;
  };
  const at = () => place(state.t);
  const score = (group, k) => groups[group].along[0][k];
  const rank = (group, k) => groups[group].ranks[0][k];
  const orders = new Map();
  function byRank(k) {
    if (!orders.has(k)) {
      const all = groups.map((_, group) => group);
      orders.set(k, all.sort((a, b) => (rank(a, k) ?? Infinity) - (rank(b, k) ?? Infinity) || a - b || 0));
    }
    return orders.get(k);
  }
  const leader = (k) => byRank(k).find((group) => rank(group, k) !== null) ?? null;
  const fall = (group, k) => (rank(group, k) === null || rank(group, 0) === null ? -Infinity : rank(group, k) - rank(group, 0));
  const automatics = new Map();
  function automatic(k) {
    if (!automatics.has(k)) automatics.set(k, tellingGroups(k));
    return automatics.get(k);
  }
  function tellingGroups(k) {
    if (groups.length <= 5) return groups.map((_, group) => group);
    const falling = byRank(0).reduce((most, group) => (fall(group, k) > fall(most, k) ? group : most), byRank(0)[0]);
    // First where mistakes are free, first at the strictest target asked for, first here, and who fell most.
    const strictest = place(Math.max(0, ...data.targets));
    const chosen = [leader(0), leader(strictest), leader(k), fall(falling, k) > 0 ? falling : null];
    return [...new Set(chosen)].filter((group) => group !== null);
  }
  const selected = () => state.sel ?? automatic(at());
  const colour = (group) => {
    const slot = selected().indexOf(group);
    return slot < 0 ? null : palette[slot % palette.length];
  };
  const reference = () => state.ref ?? leader(at());

  // The table

  const table = element("rows");
  const missing = groups.some((group) => group.missing > 0);
  const rows = groups.map((group, index) => {
    const tr = make("tr");
    const first = make("td");
    const rankText = make("span", "rank");
    const rankRange = make("span", "range");
    const moved = make("details", "moved");
    const movedText = make("summary");
    moved.append(movedText);
    if (group.lines.length) {
      const list = make("ul");
      for (const line of group.lines) list.append(make("li", "", line));
      moved.append(list);
    } else moved.append(make("div", "", count(group.missing) + " of its answers are missing" + (group.missing ? "" : "; those of others move it")));
    moved.hidden = true;
    const change = make("span", "change");
    first.append(rankText, " ", rankRange, " ", change, moved);
    const head = make("th");
    head.scope = "row";
    const name = make("button", "name", group.name);
    name.type = "button";
    name.dir = "auto";
    name.title = group.name;
    head.append(name);
    const scored = make("td", "number points");
    const value = make("b");
    const ends = make("span", "range");
    scored.append(value, ends);
    const drawn = make("td");
    const track = make("div", "track");
    const zero = make("i", "zero"), span = make("i", "span"), dot = make("i", "dot");
    track.append(zero, span, dot);
    drawn.append(track);
    const counted = make("td");
    const stack = make("div", "stack");
    ["correct", "abstained", "incorrect", "none"].forEach((kind, at) => {
      const part = make("i", kind);
      part.style.width = group.n ? (100 * group.counts[at]) / group.n + "%" : "0";
      stack.append(part);
    });
    const [right, held, wrong, none] = group.counts;
    const told = count(right) + " right · " + count(held) + " “I don’t know” · " + count(wrong) + " wrong" + (none ? " · " + count(none) + " no verdict" : "");
    stack.title = told;
    stack.setAttribute("aria-hidden", "true");
    const said = make("div", "counts", [right, held, wrong, ...(none === group.missing ? [] : [none])].map(count).join(" · "));
    said.title = told;
    counted.append(stack, said);
    const lost = make("td", "number", count(group.missing));
    if (group.lines.length) lost.title = group.lines.join("\n");
    tr.append(first, head, scored, drawn, counted, lost);
    tr.addEventListener("click", (event) => {
      if (!event.target.closest("details")) toggle(index);
    });
    tr.addEventListener("pointerenter", () => hover(index));
    tr.addEventListener("pointerleave", () => hover(null));
    return { tr, rankText, rankRange, moved, movedText, change, name, value, ends, zero, span, dot, track };
  });
  const baseline = make("tr", "baseline");
  const baselineText = make("td", "", "Always says “I don’t know”");
  baselineText.colSpan = 2;
  const baselineScore = make("td", "number points", "0.00");
  const baselineDrawn = make("td");
  const baselineTrack = make("div", "track");
  const baselineZero = make("i", "zero");
  baselineTrack.append(baselineZero);
  baselineDrawn.append(baselineTrack);
  const baselineRest = make("td", "small", "what silence earns at every price");
  baselineRest.colSpan = 2;
  baseline.append(baselineText, baselineScore, baselineDrawn, baselineRest);

  function sorted(k) {
    const ranked = byRank(k);
    const column = { correct: (g) => g.counts[0], abstained: (g) => g.counts[1], incorrect: (g) => g.counts[2], missing: (g) => g.missing }[state.sort];
    if (state.sort === "name") return [...ranked].sort((a, b) => groups[a].name.localeCompare(groups[b].name, "en", { numeric: true }));
    return column ? [...ranked].sort((a, b) => column(groups[b]) - column(groups[a])) : ranked;
  }

  let inOrder = "";
  function drawTable(k) {
    let low = 0, high = 0.05;
    groups.forEach((group) => {
      low = Math.min(low, group.along[1][k] ?? group.along[0][k] ?? 0);
      high = Math.max(high, group.along[2][k] ?? group.along[0][k] ?? 0);
    });
    low = low < 0 ? low * 1.02 : 0;
    const share = (value) => (100 * (value - low)) / (high - low) + "%";
    groups.forEach((group, index) => {
      const row = rows[index];
      const [rank, from, to, wrong, abstained] = group.ranks.map((part) => part[k]);
      put(row.rankText, rank === null ? "–" : String(rank));
      put(row.rankRange, from === null || to === null ? "" : from === to ? "[" + from + "]" : "[" + from + "–" + to + "]");
      const others = [];
      if (rank !== null && wrong === abstained && wrong !== null && wrong !== rank) others.push(wrong + " if missing count");
      else if (rank !== null) {
        if (wrong !== null && wrong !== rank) others.push(wrong + " if missing are wrong");
        if (abstained !== null && abstained !== rank) others.push(abstained + " if missing are “don’t know”");
      }
      row.moved.hidden = others.length === 0;
      if (others.length) put(row.movedText, others.join(", "));
      const gained = rank === null || group.ranks[0][0] === null ? 0 : group.ranks[0][0] - rank;
      put(row.change, gained === 0 ? "" : (gained > 0 ? "▲" : "▼") + Math.abs(gained));
      const kind = "change" + (gained > 0 ? " up" : gained < 0 ? " down" : "");
      if (row.change.className !== kind) {
        row.change.className = kind;
        row.change.title = gained === 0 ? "" : Math.abs(gained) + (gained > 0 ? " up" : " down") + " against t = 0";
      }
      const [value, lower, upper] = group.along.map((part) => part[k]);
      put(row.value, points(value));
      put(row.ends, value === null ? "not told this target" : range(lower, upper));
      row.track.hidden = value === null;
      if (value !== null) {
        row.zero.style.left = share(0);
        row.span.style.left = share(lower ?? value);
        row.span.style.width = (100 * ((upper ?? value) - (lower ?? value))) / (high - low) + "%";
        row.dot.style.left = share(value);
      }
    });
    put(element("scale-low"), low < 0 && (0 - low) / (high - low) > 0.4 ? points(low) : "");
    put(element("scale-high"), high / (high - low) > 0.4 ? points(high) : "");
    element("scale-zero").style.left = share(0);
    baselineZero.style.left = share(0);
    const order = sorted(k);
    const nodes = order.map((group) => rows[group].tr);
    if (state.sort === "rank") {
      const below = order.findIndex((group) => score(group, k) === null || score(group, k) < 0);
      nodes.splice(below < 0 ? nodes.length : below, 0, baseline);
      put(baselineText, "Always says “I don’t know”");
    } else nodes.push(baseline);
    const key = order.join() + "/" + nodes.indexOf(baseline);
    if (key !== inOrder) {
      const held = table.contains(document.activeElement) ? document.activeElement : null;
      table.replaceChildren(...nodes); // moving a row takes the focus away
      if (held) held.focus({ preventScroll: true });
      inOrder = key;
    }
  }

  function markRows() {
    groups.forEach((_, index) => {
      const own = colour(index);
      const row = rows[index];
      if (own) row.tr.style.setProperty("--mark", own);
      else row.tr.style.removeProperty("--mark");
      row.name.setAttribute("aria-pressed", String(own !== null));
    });
    const chips = selected().map((group) => {
      const chip = make("button", "", short(groups[group].name, 40) + " ×");
      chip.type = "button";
      chip.dir = "auto";
      chip.title = "Stop highlighting " + groups[group].name;
      chip.style.setProperty("--mark", colour(group));
      chip.addEventListener("click", () => {
        toggle(group);
        element("chips").querySelector("button")?.focus();
      });
      return chip;
    });
    if (state.sel !== null) {
      const reset = make("button", "", "Reset");
      reset.type = "button";
      reset.title = "Highlight the leaders again";
      reset.addEventListener("click", () => change({ sel: null }, true));
      chips.push(reset);
    }
    element("chips").replaceChildren(...chips);
  }

  const silent = groups.length > 1 && groups.every((group) => group.counts[1] === 0 && group.along[0].every((value) => value !== null));
  function sentence(k) {
    const first = leader(k), usual = leader(0);
    if (first === null) return ["No group has a score at this target.", ""];
    const scored = groups.map((_, group) => group).filter((group) => score(group, k) !== null);
    const below = scored.filter((group) => score(group, k) < 0).length;
    const tied = scored.filter((group) => rank(group, k) === 1).length - 1;
    const name = aside(short(groups[first].name, 60));
    const others = tied ? " and " + tied + (tied === 1 ? " other lead" : " others lead") : " leads";
    const beaten = score(first, k) < 0;
    const lead = beaten
      ? "Always saying “I don’t know” beats them all; the best, " + name + ", has " + points(score(first, k)) + " points per question."
      : name + others + " with " + points(score(first, k)) + " points per question.";
    let said = "";
    const rival = scored.filter((group) => group !== first && groups[group].ranks[1][k] === 1).length;
    if (rival && !tied) said += " " + rival + (rival === 1 ? " other" : " others") + " could also be first, given the data.";
    if (usual !== null && usual !== first && rank(usual, k) > 1) said += " " + aside(short(groups[usual].name, 60)) + ", first where mistakes are free, is now " + ordinal(rank(usual, k)) + ".";
    if (below && !beaten) said += " " + below + " of " + scored.length + (below === 1 ? " scores" : " score") + " less than always saying “I don’t know”.";
    else if (state.t > 0 && !beaten) said += " All score at least as much as always saying “I don’t know”.";
    if (silent) said += " No group ever says “I don’t know”, so the price moves the scores and not the order.";
    return [lead, said];
  }

  let speaking = 0;
  function drawWords(k) {
    const t = state.t;
    element("t").value = String(t);
    element("t").setAttribute("aria-valuetext", spoken(t));
    if (document.activeElement !== element("t-number")) element("t-number").value = t.toFixed(2);
    put(element("price"), price(t));
    const meaning = t === 0
      ? "A wrong answer costs nothing (t = 0), so guessing always pays: the usual accuracy. "
      : "A wrong answer costs " + price(t) + " (t = " + t + "), so answering pays only when more than " + Math.round(100 * t) + "\u00a0% sure. ";
    const [lead, said] = sentence(k);
    put(element("meaning"), meaning);
    put(element("lead"), lead);
    put(element("said"), said);
    clearTimeout(speaking);
    speaking = setTimeout(() => put(element("status"), lead + said), 500);
    for (const button of element("targets").children) button.setAttribute("aria-pressed", String(Number(button.value) === t));
  }

  // The charts: each gets its named data, and again only those whose key has changed

  const lowest = Math.min(-0.25, ...groups.flatMap((group) => group.along[0].filter((value) => value !== null)));
  const squeeze = (value) => Math.sign(value) * Math.log1p(Math.abs(value) / data.linear);
  const widen = (value) => Math.sign(value) * Math.expm1(Math.abs(value)) * data.linear;
  const line = (group, values, more) =>
    values.map((value, k) => ({ group, t: grid[k], value, ...more?.(k) })).filter((row) => row.value !== null);
  const curve = (group) => {
    const { along, band, name } = groups[group];
    return line(group, along[0], (k) => ({ name, low: band[0][k] ?? along[0][k], high: band[1][k] ?? along[0][k], colour: colour(group) }));
  };
  const confidence = (group) => groups[group].confidences.find((one) => one.source === sources[state.src]);
  function labels(k) {
    const shown = selected().filter((group) => score(group, k) !== null).map((group) => ({
      group, t: state.t, value: score(group, k), place: squeeze(score(group, k)), name: short(groups[group].name, 30), colour: colour(group),
    }));
    shown.sort((a, b) => a.place - b.place);
    const gap = ((squeeze(1) - squeeze(lowest)) * 16) / 370; // a line of text on this axis
    for (let i = 1; i < shown.length; i++) shown[i].place = Math.max(shown[i].place, shown[i - 1].place + gap);
    for (let i = shown.length - 1, top = squeeze(1); i >= 0; i--, top -= gap) shown[i].place = Math.min(shown[i].place, top);
    for (const label of shown) label.place = widen(label.place);
    return shown;
  }
  function lostRows(k) {
    const found = [];
    for (const group of byRank(k)) {
      const one = confidence(group);
      if (!one || one.lost.every((part) => part[k] === null)) continue;
      const values = one.lost.map((part) => part[k]);
      const sum = values.reduce((total, value) => total + (value ?? 0), 0);
      found.push({ group, values, row: found.length, name: groups[group].name, text: sum.toFixed(2) + " points lost", colour: colour(group) ?? "#1c1917" });
    }
    return found;
  }
  function pairRows(k) {
    const other = reference();
    const found = [];
    for (const [a, b, n, ...along] of data.pairs) {
      if (a !== other && b !== other) continue;
      const sign = b === other ? 1 : -1; // the pair is b minus a; shown is each group minus the reference
      let [value, low, high] = along.map((part) => part[k]);
      if (value === null) continue;
      if (sign > 0) [value, low, high] = [-value, high === null ? null : -high, low === null ? null : -low];
      [value, low, high] = [value, low ?? value, high ?? value];
      const known = along[1][k] !== null && along[2][k] !== null;
      const same = !known || (low <= 0 && high >= 0);
      const group = a === other ? b : a;
      found.push({
        group, value, low, high, n, same, name: groups[group].name,
        text: points(value) + (known ? (same ? " · not distinguishable" : value > 0 ? " · better" : " · worse") : " · no interval"),
        colour: same ? "#8b857f" : value > 0 ? "#0f766e" : "#b4360f",
      });
    }
    found.sort((x, y) => y.value - x.value || x.group - y.group);
    return found.map((row, place) => ({ ...row, row: place }));
  }
  const drawn = () => {
    const own = selected().filter(confidence);
    return own.length ? own : byRank(at()).filter(confidence).slice(0, 3);
  };
  const ownColour = (group) => colour(group) ?? palette[(drawn().indexOf(group) + 3) % palette.length];
  const chosenKey = () => selected().join();
  const rowKey = () => at() + "/" + chosenKey() + "/" + state.src;
  const confidenceKey = () => drawn().join() + "/" + chosenKey() + "/" + state.src;
  const side = () => (state.t > 0.55 ? "left" : "right");
  const lineRows = new Map();
  const curveRows = (group) => {
    const key = group + colour(group);
    if (!lineRows.has(key)) lineRows.set(key, curve(group));
    return lineRows.get(key).map((row) => ({ ...row }));
  };
  const feeds = {
    score: {
      every: [() => "", () => groups.flatMap((group, index) => line(index, group.along[0], () => ({ name: group.name })))],
      zero: [() => "", () => [{ value: 0, label: "always “I don’t know”" }]],
      chosen: [chosenKey, () => selected().flatMap(curveRows)],
      own: [() => chosenKey() + state.own + state.src, () => (state.own ? selected().filter(confidence).flatMap((group) => line(group, confidence(group).own, () => ({ colour: colour(group) }))) : [])],
      hovered: [() => String(state.hover), () => (state.hover === null ? [] : line(state.hover, groups[state.hover].along[0]))],
      now: [() => String(state.t), () => [{ t: state.t }]],
      points: [rowKey, () => labels(at()).map((row) => ({ ...row, name: groups[row.group].name }))],
      labels_right: [rowKey, () => (side() === "right" ? labels(at()) : [])],
      labels_left: [rowKey, () => (side() === "left" ? labels(at()) : [])],
    },
    lost: {
      rows: [rowKey, () => lostRows(at())],
      lost: [rowKey, () => lostRows(at()).flatMap(({ row, name, values }) => values.map((value, order) => ({ row, name, order, value, part: data.lost[order][2] })).filter((part) => part.value !== null))],
    },
    reliability: {
      bins: [confidenceKey, () => drawn().flatMap((group) => confidence(group).bins.map(([confidence, value, low, high, n]) => ({ group, name: groups[group].name, colour: ownColour(group), confidence, value, low, high, n })).filter((row) => row.value !== null && row.confidence !== null))],
    },
    risk: {
      curve: [confidenceKey, () => drawn().filter((group) => !confidence(group).constant).flatMap((group) => confidence(group).risk.map(([coverage, risk]) => ({ group, name: groups[group].name, colour: ownColour(group), coverage, risk })))],
      single: [confidenceKey, () => drawn().filter((group) => confidence(group).constant).flatMap((group) => confidence(group).risk.slice(0, 1).map(([coverage, risk]) => ({ group, name: groups[group].name, colour: ownColour(group), coverage, risk, label: "one point: always equally sure" })))],
    },
    pairs: { pairs: [() => at() + "/" + reference(), () => pairRows(at())] },
  };
  function panelFeeds(stratum) {
    const parts = groups.map((group) => group.strata.find(([place]) => place === stratum));
    const bars = () => {
      const k = at(), highlighted = selected();
      const known = [];
      parts.forEach((part, group) => {
        const value = part?.[2][k] ?? null;
        if (value !== null) known.push({ group, value, n: part[1] });
      });
      known.sort((a, b) => b.value - a.value || a.group - b.group);
      const shown = known.filter(({ group }, index) => index < TOP || highlighted.includes(group));
      return shown.map((one, row) => ({ ...one, row, name: groups[one.group].name, text: points(one.value), colour: colour(one.group) ?? GREY }));
    };
    return {
      bars: [rowKey, bars],
      extent: [() => extent().join(), () => extent().map((value) => ({ value }))],
    };
  }
  let extentKey = "", extentValue = [0, 1];
  function extent() {
    // Over what the panels show, so that all share one axis.
    if (extentKey !== rowKey()) {
      extentKey = rowKey();
      extentValue = [0, 0.1];
      for (const { feeds: { bars } } of charts.filter((chart) => chart.panel)) {
        for (const { value } of bars[1]()) extentValue = [Math.min(extentValue[0], value), Math.max(extentValue[1], value)];
      }
      // In rounded steps, so that the axes stay still while the slider moves a little.
      const step = [0.1, 0.5, 1, 5, 10].find((one) => extentValue[0] > -10 * one) ?? 50;
      extentValue = [Math.floor(extentValue[0] / step) * step, Math.min(1, Math.ceil(extentValue[1] * 10) / 10)];
    }
    return extentValue;
  }

  const charts = [];
  function addChart(holder, name, fed) {
    const [lines, step] = { lost: ["rows", 38], stratum: ["bars", 28], pairs: ["pairs", 36] }[name] ?? [];
    const chart = { holder, spec: specs[name], feeds: fed, panel: name === "stratum", lines, step, hidden: holder.closest("[hidden]") !== null, view: null, keys: {}, visible: false, embedding: null };
    charts.push(chart);
    return chart;
  }
  const tall = (chart, shown) => chart.step * Math.max(1, shown.length);
  // Errors are logged, warnings are not: a chart without rows at some target is no defect.
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, logLevel: 1 };
  async function draw(chart) {
    if (chart.failed || chart.hidden) return;
    if (chart.embedding) await chart.embedding;
    if (!chart.view) {
      const datasets = {};
      for (const [name, [key, rows]] of Object.entries(chart.feeds)) {
        chart.keys[name] = key();
        datasets[name] = rows();
      }
      const spec = { ...chart.spec, datasets: { ...chart.spec.datasets, ...datasets } };
      if (chart.step) spec.height = tall(chart, datasets[chart.lines]);
      chart.embedding = window.vegaEmbed(chart.holder, spec, options).then((made) => {
        chart.view = made.view;
        if (chart.spec === specs.score) listen(made.view);
      }).catch((error) => {
        console.error(error);
        chart.failed = true;
        chart.holder.textContent = "This chart cannot be drawn: " + error.message;
      });
      await chart.embedding;
      chart.embedding = null;
      return;
    }
    let changed = false;
    for (const [name, [key, rows]] of Object.entries(chart.feeds)) {
      const now = key();
      if (chart.keys[name] === now) continue;
      chart.keys[name] = now;
      const fresh = rows();
      if (chart.step && name === chart.lines) chart.view.height(tall(chart, fresh));
      chart.view.data(name, fresh);
      changed = true;
    }
    if (changed) await chart.view.runAsync();
  }
  function listen(view) {
    const group = (item) => (item?.datum && Number.isInteger(item.datum.group) ? item.datum.group : null);
    view.addEventListener("click", (_, item) => {
      if (group(item) !== null) toggle(group(item));
    });
    view.addEventListener("mousemove", (_, item) => hover(group(item)));
    view.addEventListener("mouseout", () => hover(null));
  }

  let drawing = null, again = false, quiet = 0;
  function drawCharts() {
    if (drawing) {
      again = true; // the newest state is drawn once the one in hand is done
      return;
    }
    drawing = (async () => {
      do {
        again = false;
        await Promise.all(charts.filter((chart) => chart.visible).map(draw));
      } while (again);
      drawing = null;
      document.dispatchEvent(new CustomEvent("explorer-drawn"));
    })();
    clearTimeout(quiet);
    quiet = setTimeout(drawHidden, 300);
  }
  // Charts further down follow once the slider rests, so that printing and scrolling find them up to date.
  async function drawHidden() {
    for (const chart of charts) {
      if (drawing) await drawing;
      await draw(chart);
      await new Promise((done) => setTimeout(done));
    }
    document.documentElement.dataset.drawn = "all";
  }
  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) charts.find((chart) => chart.holder === entry.target).visible = entry.isIntersecting;
    if (entries.some((entry) => entry.isIntersecting)) drawCharts();
  }, { rootMargin: "20px" });

  // Text beside the charts

  function drawAsides(k) {
    const one = lostRows(k);
    const without = groups.length - one.length;
    put(element("lost-without"), one.length ? (without ? without + " of " + groups.length + " groups have no such confidence at this target and are not shown." : "") : "No group has such a confidence at this target.");
    const keys = drawn().map((group) => {
      const key = make("span", "key");
      const swatch = make("i");
      swatch.style.background = ownColour(group);
      const name = make("span", "", short(groups[group].name, 40));
      name.dir = "auto";
      key.append(swatch, name);
      return key;
    });
    element("confidence-key").replaceChildren(...keys);
    const constant = drawn().filter((group) => confidence(group).constant);
    put(element("constant"), constant.length ? constant.map((group) => aside(short(groups[group].name, 40))).join(", ") + (constant.length === 1 ? " is" : " are") + " always equally sure: one point, nothing to rank answers by." : "");
    const other = reference();
    if (other === null) return;
    const pairs = pairRows(k);
    const same = pairs.filter((row) => row.same).length;
    element("ref").options[0].textContent = "the leader at this price" + (leader(k) === null ? "" : ": " + short(groups[leader(k)].name, 40));
    put(
      element("pairs-said"),
      pairs.length
        ? "On the questions that both answered, at t = " + state.t + ": " + same + " of " + pairs.length + " cannot be told from " + aside(short(groups[other].name, 60)) + " (the interval holds 0, so the difference may be chance). Right of the line: better than it."
        : "No group can be compared with " + aside(short(groups[other].name, 60)) + " at this target: they share no questions, or were told different targets.",
    );
    if (element("pairs-table").open) drawPairTable(pairs);
  }
  function drawPairTable(pairs) {
    element("pair-rows").replaceChildren(...pairs.map((row) => {
      const tr = make("tr");
      const name = make("th", "", row.name);
      name.scope = "row";
      name.dir = "auto";
      tr.append(name, make("td", "number", points(row.value)), make("td", "", range(row.low, row.high)), make("td", "", row.same ? "no" : "yes"), make("td", "number", count(row.n)));
      return tr;
    }));
  }

  // State

  function toggle(group) {
    const now = selected();
    change({ sel: now.includes(group) ? now.filter((one) => one !== group) : [...now, group].slice(-palette.length) }, true);
  }
  function hover(group) {
    if (state.hover === group) return;
    if (state.hover !== null) rows[state.hover].tr.classList.remove("hovered");
    if (group !== null) rows[group].tr.classList.add("hovered");
    state.hover = group;
    drawCharts();
  }
  let marked = null;
  function render() {
    const k = at();
    drawTable(k);
    drawWords(k);
    if (marked !== chosenKey() + (state.sel === null)) {
      marked = chosenKey() + (state.sel === null);
      markRows();
    }
    element("sort").value = state.sort;
    element("ref").value = state.ref === null ? "" : String(state.ref);
    element("source").value = String(state.src);
    element("own").checked = state.own;
    drawAsides(k);
    drawCharts();
  }
  function fragment() {
    const parts = ["t=" + state.t];
    if (state.sel !== null) parts.push("sel=" + (state.sel.join(",") || "none"));
    if (state.ref !== null) parts.push("ref=" + state.ref);
    if (state.sort !== "rank") parts.push("sort=" + state.sort);
    if (state.src) parts.push("src=" + state.src);
    if (state.own) parts.push("own=1");
    return "#" + parts.join("&");
  }
  let saving = 0;
  function save(push) {
    clearTimeout(saving);
    const wanted = fragment();
    if (location.hash === wanted) return;
    if (push) history.pushState(null, "", wanted);
    else saving = setTimeout(() => history.replaceState(null, "", fragment()), 400); // browsers limit how often
  }
  function change(patch, push) {
    Object.assign(state, patch);
    render();
    save(push);
  }
  function restore() {
    const given = new URLSearchParams(location.hash.slice(1));
    const whole = (text, end) => (/^\d+$/.test(text ?? "") && Number(text) < end ? Number(text) : null);
    const t = Number(given.get("t"));
    state.t = Number.isFinite(t) ? grid[place(t)] : 0;
    const list = given.get("sel");
    const places = [...new Set((list ?? "").split(",").map((text) => whole(text, groups.length)))].filter((group) => group !== null);
    state.sel = list === "none" ? [] : places.length ? places.slice(0, palette.length) : null;
    state.ref = whole(given.get("ref"), groups.length);
    state.sort = sorts.includes(given.get("sort")) ? given.get("sort") : "rank";
    state.src = whole(given.get("src"), sources.length) ?? 0;
    state.own = given.get("own") === "1";
  }

  // Controls

  function option(select, value, name) {
    const made = make("option", "", name);
    made.value = value;
    select.append(made);
  }
  for (const t of data.targets) {
    const button = make("button", "", String(t));
    button.type = "button";
    button.value = String(grid[place(t)]);
    button.setAttribute("aria-label", spoken(t));
    button.addEventListener("click", () => change({ t: grid[place(t)] }, true));
    element("targets").append(button);
  }
  option(element("ref"), "", "the leader at this price");
  groups.forEach((group, index) => option(element("ref"), String(index), short(group.name, 80)));
  sources.forEach((source, index) => option(element("source"), String(index), source));
  let moved = -Infinity;
  element("t").addEventListener("input", () => {
    state.t = grid[place(Number(element("t").value))];
    render();
  });
  element("t").addEventListener("change", (event) => {
    save(event.timeStamp - moved > 1000); // a run of arrow keys is one step for the back button
    moved = event.timeStamp;
  });
  element("t-number").addEventListener("change", () => {
    const t = Number(element("t-number").value);
    if (Number.isFinite(t)) change({ t: grid[place(t)] }, true);
    element("t-number").value = state.t.toFixed(2);
  });
  element("sort").addEventListener("change", () => change({ sort: element("sort").value }, true));
  element("ref").addEventListener("change", () => change({ ref: element("ref").value === "" ? null : Number(element("ref").value) }, true));
  element("source").addEventListener("change", () => change({ src: Number(element("source").value) }, true));
  element("own").addEventListener("change", () => change({ own: element("own").checked }, true));
  element("pairs-table").addEventListener("toggle", () => drawPairTable(pairRows(at())));
  element("copy").addEventListener("click", async () => {
    save(true);
    const link = element("link");
    link.value = location.href;
    try {
      await navigator.clipboard.writeText(link.value);
      put(element("copy"), "Copied");
      setTimeout(() => put(element("copy"), "Copy link"), 1500);
    } catch {
      link.hidden = false; // no clipboard here: the reader copies it
      link.select();
    }
  });
  addEventListener("popstate", () => {
    clearTimeout(saving);
    restore();
    render();
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment belongs to the view
    element("board").focus();
  });
  addEventListener("beforeprint", () => void drawHidden());

  const confident = sources.length > 0;
  element("lost-none").hidden = confident;
  element("lost-some").hidden = !confident;
  element("confidence").hidden = !confident;
  element("own-label").hidden = !confident;
  element("source-label").hidden = sources.length < 2;
  element("strata").hidden = data.strata.length === 0;
  element("pairs").hidden = groups.length < 2 || data.pairs.length === 0;
  if (!missing) for (const row of document.querySelectorAll("table.board tr")) row.lastElementChild.classList.add("small");
  for (const [, colour, words] of data.lost) {
    const key = make("span", "", words);
    const swatch = make("i");
    swatch.style.background = colour;
    key.prepend(swatch);
    element("lost-key").append(key);
  }
  put(element("strata-top"), String(Math.min(TOP, groups.length)));
  if (data.strata.length > PANELS) put(element("strata-more"), "The first " + PANELS + " of " + data.strata.length + " categories are drawn.");
  for (const holder of document.querySelectorAll("[data-chart]")) addChart(holder, holder.dataset.chart, feeds[holder.dataset.chart]);
  data.strata.slice(0, PANELS).forEach((name, stratum) => {
    const panel = make("div");
    const title = make("h3", "", short(name, 60));
    title.dir = "auto";
    const most = Math.max(...groups.map((group) => group.strata.find(([place]) => place === stratum)?.[1] ?? 0));
    title.append(make("span", "", " · " + count(most) + " answers"));
    const holder = make("div", "chart");
    panel.append(title, holder);
    element("panels").append(panel);
    addChart(holder, "stratum", panelFeeds(stratum));
  });
  restore();
  render();
  for (const chart of charts) sight.observe(chart.holder);
})();
