"use strict";
(() => {
  // ---- small tools -------------------------------------------------------------------------------------------------

  const $ = (id) => document.getElementById(id);
  const clear = (node) => node.replaceChildren();

  /** An element with attributes and children; text stays text. */
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (typeof value === "function") node.addEventListener(key, value);
      else if (value === true) node.setAttribute(key, "");
      else if (value !== false && value != null) node.setAttribute(key, value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  }

  /** Text for plotly.js, which reads some markup. */
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const shown = (x) => (x == null ? "" : x === 0 ? "0" : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-4 ? x.toExponential(2) : String(+x.toPrecision(3)));
  const estimate = (e) => (e == null ? "" : e[1] == null ? shown(e[0]) : `${shown(e[0])} [${shown(e[1])}, ${shown(e[2])}]`);

  const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

  function csv(header, rows) {
    const field = (x) => (x == null ? "" : /[",\n\r]/.test(x) ? `"${String(x).replace(/"/g, '""')}"` : String(x));
    return [header, ...rows].map((row) => row.map(field).join(",")).join("\n") + "\n";
  }

  function download(name, text, type) {
    const link = el("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const button = (label, click, title) => el("button", { type: "button", click, title }, label);
  const fileName = (what) => `${section().name.replace(/[^\w.-]+/g, "_")}-${what}`;
  const saveCsv = (what, header, rows) => download(fileName(`${what}.csv`), csv(header, rows), "text/csv");

  function table(header, rows, limit) {
    const kind = (i) => (rows.length && typeof rows[0][i] === "string" && isNaN(rows[0][i]) ? "text" : null);
    const head = el("thead", {}, el("tr", {}, ...header.map((text, i) => el("th", { scope: "col", class: kind(i) }, text))));
    const cell = (x, i) => el("td", { class: kind(i) }, typeof x === "number" ? shown(x) : x == null ? "" : String(x));
    const body = el("tbody", {}, ...rows.slice(0, limit).map((row) => el("tr", {}, ...row.map(cell))));
    const rest = rows.length - limit;
    return rest > 0 ? el("div", {}, el("table", {}, head, body), el("p", { class: "note" }, `${rest} more rows are in the CSV file.`)) : el("table", {}, head, body);
  }

  // ---- data and state ----------------------------------------------------------------------------------------------

  let page = JSON.parse($("data").textContent);
  const state = { section: 0, hidden: new Set(), bands: true, at: [], measure: null, curve: null, heat: null, field: null, other: null, recipe: null };
  const section = () => page.sections[state.section];
  const run = () => section().run;
  const narrow = () => matchMedia("(max-width: 50rem)").matches;
  const shownRecipes = () => run().recipes.map((recipe, i) => ({ ...recipe, i })).filter((r) => !state.hidden.has(r.name));

  /** Index of a grid point: the last axis is the fastest. */
  const point = (at) => run().axes.reduce((index, axis, i) => index * axis.values.length + at[i], 0);
  const cell = (at, recipe) => point(at) * run().recipes.length + recipe;
  const moved = (axis, to) => state.at.map((x, i) => (i === axis ? to : x));
  const chosen = (list, name) => list.find((x) => x.name === name) || list[0];
  const place = (skip) => run().axes.map((axis, i) => (i === skip ? null : `${axis.name} ${axis.values[state.at[i]]}`)).filter((x) => x).join(", ");

  /** So many recipes that their intervals hide each other; the reader can ask for them. */
  const CROWD = 10;

  /** Starts a section: the middle of the main axis, the start of the others. */
  function enter(index) {
    state.section = index;
    state.hidden.clear();
    state.bands = !run() || run().recipes.length <= CROWD;
    state.at = run() ? run().axes.map((axis, i) => (i === run().main ? axis.values.length >> 1 : 0)) : [];
    state.measure = state.curve = state.heat = state.field = state.other = state.recipe = null;
  }

  // ---- looks -------------------------------------------------------------------------------------------------------

  const dark = () => document.documentElement.dataset.theme === "dark";

  /** A recipe's colour, lightened where it would be lost on dark paper. */
  function ink(colour) {
    const parts = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    const light = (0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]) / 255;
    const white = !dark() ? 0 : light < 0.1 ? 0.88 : light < 0.45 ? 0.3 : 0;
    return parts.map((c) => Math.round(c + white * (255 - c)));
  }
  const rgb = (colour, alpha) => `rgba(${ink(colour).join(",")},${alpha == null ? 1 : alpha})`;
  const BASE = { name: "base model", colour: "#808080", dash: "dash" };
  const GLYPHS = { circle: "●", square: "■", cross: "✚", x: "✖", diamond: "◆", star: "★", "triangle-down": "▼", "triangle-up": "▲" };

  function swatch(recipe) {
    return el("span", { class: `swatch ${recipe.dash}`, style: `color:${rgb(recipe.colour)}`, "aria-hidden": "true" }, GLYPHS[recipe.symbol] || "");
  }

  function layout(x, y, more) {
    const axis = { gridcolor: variable("grid"), linecolor: variable("line"), zerolinecolor: variable("line"), ticks: "outside", tickcolor: variable("line"),
      automargin: true, fixedrange: matchMedia("(pointer: coarse)").matches };
    return {
      autosize: true, font: { family: "system-ui, sans-serif", size: 12, color: variable("ink") },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 50, r: 12, t: 8, b: 42 }, showlegend: false, hovermode: narrow() ? "closest" : "x unified", hoverdistance: 40,
      hoverlabel: { bgcolor: variable("paper"), bordercolor: variable("line"), font: { color: variable("ink"), size: 11.5 } },
      xaxis: { ...axis, ...x }, yaxis: { ...axis, ...y }, ...more,
    };
  }

  /** Line with markers, and the band around it. */
  function series(look, xs, estimates, markers) {
    const known = estimates.map((e, i) => i).filter((i) => estimates[i] != null && estimates[i][0] != null);
    const banded = known.filter((i) => estimates[i][1] != null);
    const pick = (indices, k) => indices.map((i) => estimates[i][k]);
    const band = {
      x: [...banded.map((i) => xs[i]), ...banded.map((i) => xs[i]).reverse()], y: [...pick(banded, 2), ...pick(banded, 1).reverse()],
      type: "scatter", mode: "lines", line: { width: 0 }, fill: "toself", fillcolor: rgb(look.colour, dark() ? 0.2 : 0.13), hoverinfo: "skip",
    };
    const line = {
      x: known.map((i) => xs[i]), y: pick(known, 0), name: plain(look.name), type: "scatter", mode: markers && look.symbol ? "lines+markers" : "lines",
      line: { color: rgb(look.colour), dash: look.dash, width: 1.8 }, marker: { symbol: look.symbol, size: 7, color: rgb(look.colour) },
      text: known.map((i) => estimate(estimates[i])), hovertemplate: "%{text}",
    };
    return state.bands && banded.length > 1 ? [band, line] : [line];
  }

  const numbers = (axis) => axis.values.map(Number);
  const wide = (xs) => xs.every((x) => x > 0) && Math.max(...xs) / Math.min(...xs) >= 16;

  /** An x axis over the values of a knob. */
  function knobAxis(axis) {
    const xs = numbers(axis);
    const ticks = xs.length <= 12 ? { tickmode: "array", tickvals: xs, ticktext: axis.values } : {};
    return { title: { text: plain(axis.label), standoff: 6 }, type: wide(xs) ? "log" : "linear", ...ticks };
  }

  // ---- charts: each says what is drawn and the rows of its table ----------------------------------------------------

  function againstKnob() {
    const measure = chosen(run().measures, state.measure);
    const main = run().main;
    return main == null ? bars(measure) : lines(measure, main, run().axes[main]);
  }

  function lines(measure, main, axis) {
    const xs = numbers(axis);
    const at = (recipe) => xs.map((_, i) => measure.values[cell(moved(main, i), recipe.i)]);
    const base = measure.base.length ? [[BASE, xs.map((_, i) => measure.base[point(moved(main, i))])]] : [];
    const all = [...base, ...shownRecipes().map((recipe) => [recipe, at(recipe)])];
    const shapes = [{ type: "line", x0: xs[state.at[main]], x1: xs[state.at[main]], y0: 0, y1: 1, yref: "paper", line: { color: variable("soft"), width: 1, dash: "dot" } }];
    return {
      traces: all.flatMap(([look, estimates]) => series(look, xs, estimates, true)),
      layout: layout(knobAxis(axis), { title: { text: plain(measure.label), standoff: 6 }, ...range(measure) }, { shapes }),
      header: [axis.name, "recipe", measure.name, `${measure.name}/low`, `${measure.name}/high`],
      rows: all.flatMap(([look, estimates]) => estimates.map((e, i) => [xs[i], look.name, ...(e || [null, null, null])])),
      caption: `${sentence(measure.doc || measure.label)}. Mean over seeds with 95 % intervals${place(main) ? ` at ${place(main)}` : ""}; dotted: where the slider is.${beyond(measure, all) ? " What lies beyond the axis is in the values." : ""}`,
      click: (x) => move(main, xs.indexOf(x)),
    };
  }

  /** The shares worth a look; a share and its interval can lie far beyond. */
  const SHARES = [-0.5, 1.4];
  const range = (measure) => (measure.name === "gain_kept" ? { range: SHARES } : {});
  const beyond = (measure, all) => measure.name === "gain_kept" && all.some(([, estimates]) => estimates.some((e) => e && (e[0] < SHARES[0] || e[0] > SHARES[1])));

  function bars(measure) {
    const recipes = shownRecipes();
    const estimates = recipes.map((recipe) => measure.values[recipe.i] || [null, null, null]);
    const error = { type: "data", symmetric: false, array: estimates.map((e) => e[2] - e[0]), arrayminus: estimates.map((e) => e[0] - e[1]), color: variable("soft"), thickness: 1.2 };
    const base = measure.base.length ? measure.base[0] : null;
    const shapes = base ? [{ type: "line", x0: 0, x1: 1, xref: "paper", y0: base[0], y1: base[0], line: { color: variable("soft"), dash: "dash", width: 1.2 } }] : [];
    return {
      traces: [{ type: "bar", x: recipes.map((r) => plain(r.name)), y: estimates.map((e) => e[0]), error_y: error, marker: { color: recipes.map((r) => rgb(r.colour)) },
        text: estimates.map(estimate), textposition: "none", hovertemplate: "%{text}<extra></extra>" }],
      layout: layout({}, { title: { text: plain(measure.label), standoff: 6 } }, { shapes, hovermode: "closest" }),
      header: ["recipe", measure.name, `${measure.name}/low`, `${measure.name}/high`],
      rows: recipes.map((recipe, i) => [recipe.name, ...estimates[i]]),
      caption: `${sentence(measure.doc || measure.label)}. Mean over seeds with 95 % intervals${base ? "; dashed: base model" : ""}.`,
    };
  }

  function training() {
    const curve = chosen(run().curves, state.curve);
    const all = shownRecipes().map((recipe) => [recipe, curve.values[cell(state.at, recipe.i)]]);
    const triples = (path) => path.median.map((x, i) => [x, path.low[i], path.high[i]]);
    return {
      traces: all.flatMap(([look, path]) => series(look, path.steps, triples(path), false)),
      layout: layout({ title: { text: "updates", standoff: 6 }, rangemode: "tozero" }, { title: { text: plain(curve.label), standoff: 6 } }),
      header: ["step", "recipe", curve.name, `${curve.name}/q10`, `${curve.name}/q90`],
      rows: all.flatMap(([look, path]) => triples(path).map((e, i) => [path.steps[i], look.name, ...e])),
      caption: `${sentence(curve.doc)}. Median and 10 to 90 % over seeds${place() ? ` at ${place()}` : ""}.`,
    };
  }

  function passAtK() {
    const { ks, base, trained } = run().pass_at_k;
    const ticks = ks.filter((_, i) => !narrow() || i % 2 === 0);
    const all = [[BASE, base[point(state.at)]], ...shownRecipes().map((recipe) => [recipe, trained[cell(state.at, recipe.i)]])];
    return {
      traces: all.flatMap(([look, estimates]) => series(look, ks, estimates, true)),
      layout: layout({ title: { text: "k", standoff: 6 }, type: "log", tickmode: "array", tickvals: ticks, ticktext: ticks.map(String) },
        { title: { text: "pass@k, held-out", standoff: 6 }, range: [0, 1.03] }),
      header: ["k", "recipe", "pass@k", "pass@k/low", "pass@k/high"],
      rows: all.flatMap(([look, estimates]) => estimates.map((e, i) => [ks[i], look.name, ...(e || [null, null, null])])),
      caption: `Chance that one of k responses is correct, before training and after. Mean over seeds with 95 % intervals${place() ? ` at ${place()}` : ""}.`,
    };
  }

  function recipeMap() {
    const { main } = run();
    const axis = run().axes[main];
    const recipes = shownRecipes().reverse();
    const measure = chosen(run().measures, state.heat);
    const value = (i, j) => measure.values[cell(moved(main, i), recipes[j].i)];
    return field(measure, axis, { name: "recipe", label: "", values: recipes.map((r) => r.name) }, value, place(main), main);
  }

  function knobMap() {
    const { main, axes } = run();
    const other = Math.max(0, axes.findIndex((axis) => axis.name === otherAxis()));
    const recipe = run().recipes.findIndex((r) => r.name === chosen(run().recipes.filter((r) => r.name !== "standard"), state.recipe).name);
    const measure = chosen(run().measures, state.field);
    const value = (i, j) => measure.values[cell(state.at.map((x, axis) => (axis === main ? i : axis === other ? j : x)), recipe)];
    const fixed = axes.map((axis, i) => (i === main || i === other ? null : `${axis.name} ${axis.values[state.at[i]]}`)).filter((x) => x).join(", ");
    return field(measure, axes[main], axes[other], value, [run().recipes[recipe].name, fixed].filter((x) => x).join(", "), main);
  }

  const others = () => run().axes.filter((_, i) => i !== run().main);
  const otherAxis = () => chosen(others(), state.other).name;

  /** A measure over two lists, as colours with the numbers in them. */
  function field(measure, x, y, value, where, main) {
    const cells = y.values.map((_, j) => x.values.map((_, i) => value(i, j)));
    const z = cells.map((row) => row.map((e) => (e ? e[0] : null)));
    const flat = z.flat().filter((v) => v != null);
    const most = measure.name === "gain_kept" ? 1 : Math.max(1e-9, ...flat.map(Math.abs));
    const scale = measure.diverging
      ? { zmin: -most, zmax: most, colorscale: [[0, variable("low")], [0.5, variable("middle")], [1, variable("high")]] }
      : { colorscale: "Cividis" };
    const few = x.values.length <= (narrow() ? 5 : 16) && y.values.length <= 24;
    const bar = narrow() ? { orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom" } : {};
    return {
      traces: [{ type: "heatmap", x: x.values.map(plain), y: y.values.map(plain), z, text: cells.map((row) => row.map(estimate)), ...scale, xgap: 1, ygap: 1,
        texttemplate: few ? "%{z:.2f}" : "", textfont: measure.diverging ? { size: 10.5, color: variable("ink") } : { size: 10.5 }, hovertemplate: "%{y}, %{x}: %{text}<extra></extra>",
        colorbar: { thickness: 10, outlinewidth: 0, title: { text: narrow() ? "" : plain(measure.label), side: "right" }, tickfont: { size: 11 }, ...bar } }],
      layout: layout({ title: { text: plain(x.label), standoff: 6 }, type: "category", showgrid: false, ...(x.values.length <= 12 && { tickangle: 0 }), tickfont: { size: narrow() ? 10 : 12 } },
        { title: { text: plain(y.label), standoff: 6 }, type: "category", showgrid: false }, { hovermode: "closest" }),
      header: [x.name, y.name, measure.name, `${measure.name}/low`, `${measure.name}/high`],
      rows: y.values.flatMap((b, j) => x.values.map((a, i) => [a, b, ...(cells[j][i] || [null, null, null])])),
      caption: `${sentence(measure.label)}${where ? ` (${where})` : ""}, mean over seeds.`,
      hint: " Hover for 95 % intervals, click to move the slider.",
      click: (text) => move(main, x.values.indexOf(text)),
    };
  }

  // ---- figures -----------------------------------------------------------------------------------------------------

  const select = (label, options, key) => () => {
    const list = options();
    const now = chosen(list, state[key]).name;
    const change = (event) => { state[key] = event.target.value; draw(); };
    return el("select", { "aria-label": label, change }, ...list.map((o) => el("option", { value: o.name, selected: o.name === now }, o.label || o.name)));
  };
  const measures = () => run().measures;

  const FIGURES = [
    { id: "knob", title: () => (run().main == null ? "By recipe" : `Against ${run().axes[run().main].name}`), make: againstKnob, selects: [select("Measure", measures, "measure")] },
    { id: "map", title: () => `Recipes and ${run().axes[run().main].name}`, when: () => run().main != null, make: recipeMap, selects: [select("Measure of the map", measures, "heat")] },
    { id: "training", title: () => "Training", when: () => run().curves.length > 0, make: training, selects: [select("Curve", () => run().curves, "curve")] },
    { id: "pass", title: () => "pass@k", make: passAtK, selects: [] },
    { id: "knobs", title: () => `${run().axes[run().main].name} and ${otherAxis()}`, when: () => run().axes.length > 1, make: knobMap,
      selects: [select("Measure of the second map", measures, "field"), select("Recipe of the map", () => run().recipes.filter((r) => r.name !== "standard"), "recipe"), select("Second knob", others, "other")] },
  ];

  /** Its place on the page: all places are made before the first chart is drawn, since charts take the width they find. */
  function settle(figure) {
    if ($(`figure-${figure.id}`)) return;
    const node = el("figure", { id: `figure-${figure.id}` }, el("h2"), el("figcaption"), el("div", { class: "chart", role: "img", id: `chart-${figure.id}` }),
      el("details", { toggle: () => values(figure) }, el("summary", {}, "Values"), el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values" })));
    $("charts").append(node);
    head(figure, node);
  }

  function drawFigure(figure) {
    const made = figure.make();
    const node = $(`figure-${figure.id}`);
    figure.made = made;
    node.querySelector("figcaption").replaceChildren(made.caption, el("span", { class: "hint" }, made.hint || ""));
    const chart = node.querySelector(".chart");
    chart.setAttribute("aria-label", `${figure.title()}: ${made.caption} The values are in the table below.`);
    Plotly.react(chart, made.traces, made.layout, { displayModeBar: false, responsive: true });
    chart.removeAllListeners("plotly_click");
    if (made.click) chart.on("plotly_click", (event) => made.click(event.points[0].x));
    values(figure);
  }

  function head(figure, node) {
    const svg = () => Plotly.downloadImage(node.querySelector(".chart"), { format: "svg", filename: fileName(figure.id), width: 720, height: 440 });
    node.querySelector("h2").replaceChildren(el("span", {}, figure.title()), ...figure.selects.map((make) => make()),
      el("span", { class: "buttons" }, button("CSV", () => saveCsv(figure.id, figure.made.header, figure.made.rows), "Download the values drawn"), button("SVG", svg, "Download the picture")));
  }

  function values(figure) {
    const details = document.querySelector(`#figure-${figure.id} details`);
    if (details.open) details.querySelector(".scroll").replaceChildren(table(figure.made.header, figure.made.rows, 400));
  }

  const drawn = () => FIGURES.filter((figure) => !figure.when || figure.when());

  function draw() {
    if (!run() || !run().measures.length) return;
    drawn().forEach(settle);
    drawn().forEach(drawFigure);
    document.querySelectorAll("#gains tbody tr").forEach((row, i) => (i === point(state.at) && run().axes.length ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current")));
  }

  // ---- controls ----------------------------------------------------------------------------------------------------

  function move(axis, to) {
    if (to < 0) return;
    state.at = moved(axis, to);
    const slider = $("sliders").children[axis];
    const value = run().axes[axis].values[to];
    slider.querySelector("input").value = to;
    slider.querySelector("input").setAttribute("aria-valuetext", `${run().axes[axis].name} ${value}`);
    slider.querySelector("output").textContent = value;
    draw();
  }

  function toggle(recipe, on) {
    if (on) state.hidden.delete(recipe.name);
    else state.hidden.add(recipe.name);
    draw();
  }

  function controls() {
    const box = (recipe) => el("label", { title: recipe.doc },
      el("input", { type: "checkbox", checked: !state.hidden.has(recipe.name), change: (e) => toggle(recipe, e.target.checked) }), swatch(recipe), recipe.name);
    const all = (on) => { run().recipes.forEach((recipe) => (on ? state.hidden.delete(recipe.name) : state.hidden.add(recipe.name))); controls(); draw(); };
    const bands = el("label", {}, el("input", { type: "checkbox", id: "bands", checked: state.bands, change: (e) => { state.bands = e.target.checked; draw(); } }), "intervals");
    $("recipes").replaceChildren($("recipes").querySelector("legend"), ...run().recipes.map(box), el("span", { class: "buttons" }, button("all", () => all(true)), button("none", () => all(false))), bands);
    const slider = (axis, i) => el("label", { title: axis.doc }, axis.name,
      el("input", { type: "range", min: 0, max: axis.values.length - 1, step: 1, value: state.at[i], "aria-valuetext": `${axis.name} ${axis.values[state.at[i]]}`, input: (e) => move(i, +e.target.value) }),
      el("output", {}, axis.values[state.at[i]]));
    $("sliders").replaceChildren(...run().axes.map(slider));
  }

  // ---- tables and text ---------------------------------------------------------------------------------------------

  function gains() {
    const { header, rows } = run().table;
    const first = header.length - run().recipes.length;
    const body = rows.map((row) => el("tr", {}, ...row.cells.map((text, i) => el("td", { class: i >= first ? row.bands[i - first] : null }, text))));
    const grid = el("table", {}, el("thead", {}, el("tr", {}, ...header.map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, ...body));
    document.querySelector("#gains .scroll").replaceChildren(grid);
  }

  /** One row per grid point and recipe, all measures. */
  function estimates() {
    const { axes, recipes, measures } = run();
    const header = [...axes.map((a) => a.name), "recipe", ...measures.flatMap((m) => [m.name, `${m.name}/low`, `${m.name}/high`])];
    const total = axes.reduce((n, axis) => n * axis.values.length, 1);
    const coordinates = (p) => axes.map((axis, i) => axis.values[Math.floor(p / axes.slice(i + 1).reduce((n, a) => n * a.values.length, 1)) % axis.values.length]);
    const row = (p, r) => [...coordinates(p), recipes[r].name, ...measures.flatMap((m) => m.values[p * recipes.length + r] || [null, null, null])];
    return { header, rows: Array.from({ length: total }, (_, p) => recipes.map((_, r) => row(p, r))).flat() };
  }

  function tables() {
    const all = estimates();
    const { results, config } = run();
    document.querySelector("#tables .buttons").replaceChildren(
      button("Estimates, CSV", () => saveCsv("estimates", all.header, all.rows)),
      ...(results ? [button(`Results by cell and seed, CSV`, () => download(fileName("results.csv"), results, "text/csv"))] : []),
      button("config.toml", () => download("config.toml", config, "text/plain")));
    if (!results) document.querySelector("#tables .note").textContent = "The results by cell and seed are too long for this page: see summary.csv and results.parquet in the run folder.";
    const details = document.querySelector("#tables details");
    details.ontoggle = () => details.open && details.querySelector(".scroll").replaceChildren(table(all.header, all.rows, 500));
    details.ontoggle();
  }

  /** Columns of the table of verdicts; numbers stand right. */
  const VERDICTS = { claim: "text", rung: "text", verdict: "text", expected: "text", margin: null, interval: null, worlds: null, seeds: null };
  /** What stands below the claim, to be opened. */
  const BELOW = ["paper", "prediction", "worst", "parts", "counterexample", "note"];
  const MARKS = { holds: "✓ ", fails: "✗ ", undecided: "? " };
  const interval = (v) => (v.low == null && v.high == null ? "" : `[${words(v.low)}, ${words(v.high)}]`);

  /** Any value in words; a margin with its place and interval as one. */
  function words(x) {
    if (x == null) return "";
    if (typeof x === "number") return shown(x);
    if (typeof x !== "object") return String(x);
    if (Array.isArray(x)) return x.map(words).join("; ");
    const margin = x.margin == null ? null : `${x.place == null ? "margin" : `${x.place}:`} ${words(x.margin)} ${interval(x)}`.trim();
    const rest = Object.entries(x).filter(([key]) => margin == null || !["place", "margin", "low", "high"].includes(key)).map(([key, value]) => `${key} ${words(value)}`);
    return [margin, ...rest].filter((part) => part).join(", ");
  }

  function more(verdict) {
    const told = BELOW.filter((name) => verdict[name] != null && verdict[name] !== "").map((name) => el("span", { class: "small" }, `${name}: ${words(verdict[name])}`));
    return told.length ? el("details", {}, el("summary", {}, "more"), ...told) : null;
  }

  function verdictCell(verdict, key) {
    const said = verdict.statement ? el("span", { class: "small" }, words(verdict.statement)) : null;
    if (key === "claim") return el("th", { scope: "row", class: "text" }, words(verdict.claim), said, more(verdict));
    if (key === "verdict") return el("td", { class: `text ${verdict.verdict in MARKS ? verdict.verdict : ""}` }, (MARKS[verdict.verdict] || "") + words(verdict.verdict));
    if (key === "interval") return el("td", {}, interval(verdict));
    const other = key === "expected" && verdict.as_expected === false;
    return el("td", { class: other ? "text fails" : VERDICTS[key] }, words(verdict[key]), other ? " (not so)" : null);
  }

  function verdicts() {
    const list = section().verdicts;
    $("verdicts").hidden = !list.length;
    const known = (key) => key === "claim" || list.some((v) => (key === "interval" ? v.low != null || v.high != null : v[key] != null));
    const keys = Object.keys(VERDICTS).filter(known);
    const head = el("tr", {}, ...keys.map((key) => el("th", { scope: "col", class: VERDICTS[key] }, key)));
    document.querySelector("#verdicts .scroll").replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, ...list.map((v) => el("tr", {}, ...keys.map((key) => verdictCell(v, key)))))));
    const columns = [...new Set(list.flatMap(Object.keys))];
    const flat = (x) => (x != null && typeof x === "object" ? JSON.stringify(x) : x);
    document.querySelector("#verdicts .buttons").replaceChildren(button("CSV", () => saveCsv("verdicts", columns, list.map((v) => columns.map((c) => flat(v[c]))))));
  }

  function count(list) {
    const n = (verdict) => list.filter((v) => v.verdict === verdict).length;
    const other = list.filter((v) => v.as_expected === false).length;
    return `${list.length} verdicts: ${n("holds")} hold, ${n("fails")} fail, ${n("undecided")} undecided${other ? `; ${other} other than expected` : ""}.`;
  }

  function progress() {
    const { done, total } = run() || { done: 1, total: 1 };
    $("progress").hidden = done === total;
    $("progress").replaceChildren(el("progress", { max: total, value: done, "aria-label": "cells finished" }), `${done} of ${total} cells are finished; the numbers below are of these.`);
  }

  function text() {
    $("name").textContent = section().name;
    document.title = `${section().name} · mta-sim report`;
    $("sentence").textContent = (run() ? run().sentence : count(section().verdicts)) || "";
    $("footer").textContent = `Made by ${page.program} on ${page.made}. Charts: plotly.js ${Plotly.version} (MIT licence).`;
    progress();
    if (!run()) return;
    $("heading").textContent = run().heading;
    $("commands").textContent = run().commands.join("\n");
    $("config").textContent = run().config;
    $("facts").replaceChildren(...run().facts.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)]));
  }

  // ---- tabs, theme, print, news ------------------------------------------------------------------------------------

  function tabs() {
    $("tabs").hidden = page.sections.length < 2;
    const open = (i) => { enter(i); show(); $("tabs").children[i].focus(); };
    const keys = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) open((state.section + step + page.sections.length) % page.sections.length);
    };
    const tab = (s, i) => el("button", { type: "button", role: "tab", "aria-selected": String(i === state.section), "aria-controls": "main", tabindex: i === state.section ? 0 : -1, click: () => open(i), keydown: keys }, s.name);
    $("tabs").replaceChildren(...page.sections.map(tab));
  }

  function show() {
    tabs();
    text();
    verdicts();
    $("run").hidden = !run();
    document.querySelectorAll(".chart").forEach(Plotly.purge);
    clear($("charts"));
    if (!run()) return;
    gains();
    controls();
    tables();
    draw();
  }

  function theme(name) {
    document.documentElement.dataset.theme = name;
    $("theme").textContent = name === "dark" ? "Light" : "Dark";
    $("theme").setAttribute("aria-label", `Switch to ${name === "dark" ? "light" : "dark"} colours`);
    $("theme").setAttribute("aria-pressed", String(name === "dark"));
  }

  function retheme(name) {
    theme(name);
    if (run()) controls();
    draw();
  }

  const system = matchMedia("(prefers-color-scheme: dark)");
  const preferred = () => (system.matches ? "dark" : "light");
  system.addEventListener("change", () => retheme(preferred()));
  $("theme").addEventListener("click", () => retheme(dark() ? "light" : "dark"));

  /** Paper is white, and as wide as paper. */
  const PAPER = { width: 680, height: 255 };
  let before = null;
  addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    retheme("light");
    document.querySelectorAll(".chart").forEach((chart) => { chart.style.height = `${PAPER.height}px`; Plotly.relayout(chart, PAPER); });
  });
  addEventListener("afterprint", () => {
    document.querySelectorAll(".chart").forEach((chart) => { chart.style.height = ""; });
    retheme(before || preferred());
  });

  /** Shows new data of the run that is shown; what the reader has set stays. */
  function renew(next) {
    const grid = (p) => JSON.stringify([p.sections[0].run.axes, p.sections[0].run.recipes]);
    const same = grid(page) === grid(next);
    page = next;
    if (!same) enter(0);
    if (!same) return show();
    text();
    verdicts();
    gains();
    tables();
    draw();
  }

  /** Asks the server for news of a run that grows. */
  async function follow(seen) {
    let now = seen;
    try {
      now = await (await fetch("state")).text();
      if (now !== seen) renew(await (await fetch("data.json")).json());
    } catch (error) {
      now = null;
      $("progress").hidden = false;
      $("progress").textContent = "The server does not answer; this is what it said last.";
    }
    setTimeout(() => follow(now), 1500);
  }

  theme(preferred());
  enter(0);
  show();
  if (page.live) follow(null);
})();
