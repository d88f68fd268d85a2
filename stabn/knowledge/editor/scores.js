// What the network would answer, before the edit and after it.

import { make } from "./dom.js";

export function scores(view) {
  view.parts.scores = make("section", { class: "se-scores", "aria-label": "class probabilities" });
  return view.parts.scores;
}

/**
 * The classes worth a row: the true one, the answer, the likeliest after the edit and before it.
 * Always as many rows, so that nothing below moves when somebody edits.
 */
export function chooseClasses({ truth, predicted, classes, own }, after) {
  const likeliest = (p) => (p ? p.map((_, k) => k).sort((a, b) => p[b] - p[a]) : []);
  const chosen = [classes.indexOf(truth), classes.indexOf(predicted),
    ...likeliest(after).slice(0, 1), ...likeliest(own ?? after)];
  return [...new Set(chosen)].filter((k) => k >= 0).slice(0, 4);
}

export function showScores(view) {
  const { video, parts } = view;
  const { version = 0, problem = "", ...computed } = view.model.get("_scores");
  const edited = view.model.get("_state").changed || view.line.unsaved() > 0;
  const after = edited || !video.own ? computed.after : null; // unedited there is nothing after
  const { own, classes, truth, predicted, rescored } = video;
  parts.scores.hidden = !own && !rescored;
  if (parts.scores.hidden) return;
  const stale = rescored && !view.line.silent && (view.line.unsaved() > 0 || version !== view.model.get("_state").version);
  parts.scores.setAttribute("aria-busy", String(stale));
  const kind = (k) => ({ [predicted]: "se-answered", [truth]: "se-true" })[classes[k]] ?? "se-other";
  const row = (k) => make("tr", { class: kind(k) },
    make("th", { scope: "row" }, make("span", { class: "se-name" }, classes[k]), " ",
      badge(classes[k] === truth, "true class"), badge(classes[k] === predicted, "network's answer")),
    amount(own?.[k], "before"), amount(after?.[k], "after"));
  const state = problem || (stale ? "computing …" : "");
  parts.scores.replaceChildren(
    make("p", { class: "se-headline" }, make("span", { class: "se-change" }, ...change(video, after)),
      make("span", { class: problem ? "se-problem" : "se-busy" }, state)),
    make("table", {},
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "class"),
        make("th", { scope: "col" }, "before your edit"), make("th", { scope: "col" }, "after your edit"))),
      make("tbody", {}, ...chooseClasses(video, after).map(row))));
}

/** What becomes of the true class and of the answer, in one line. */
export function inWords({ classes, own, truth, predicted }, after) {
  const k = classes.indexOf(truth);
  const chances = [own, after].flatMap((p) => p?.[k]?.toFixed(2) ?? []);
  const answer = after ? classes[after.indexOf(Math.max(...after))] : predicted;
  const verb = after && answer !== predicted ? "becomes" : after ? "stays" : "is";
  return [`True class ${chances.join(" → ")}`,
    `the answer ${verb} “${answer}” (${answer === truth ? "right" : "wrong"})`];
}

function change(video, after) {
  const [chances, answer] = inWords(video, after);
  return [make("strong", {}, chances), `; ${answer}`];
}

const badge = (on, text) => (on ? make("span", { class: "se-badge" }, text) : null);

function amount(p, when) {
  if (p === undefined) return make("td", { "data-when": when }, "–");
  const bar = make("span", { class: "se-fill" });
  bar.style.width = `${100 * p}%`;
  return make("td", { "data-when": when },
    make("span", { class: "se-amount" }, p.toFixed(2)),
    make("span", { class: "se-track", "aria-hidden": "true" }, bar));
}
