// What a network answers: the likeliest classes and the true one, with the recorded answer beside.

const SHOWN = 5;

/** @param title of the network; empty where there is one only. */
function answersTable(title, classes) {
  const rows = make("tbody");
  const head = ["class", "recorded", "now"].map((text) => make("th", { scope: "col" }, text));
  const table = make("table", { class: "live-answers" });
  if (title) table.append(make("caption", {}, title));
  table.append(make("thead", {}, make("tr", {}, ...head)), rows);

  const cell = (share) => make("td", { style: `--share: ${share}` }, percent(share));

  /** Probabilities (K,) as recorded and now, and the true class. */
  function show(recorded, now, truth) {
    const best = ranked(now).slice(0, SHOWN);
    if (!best.includes(truth)) best.push(truth);
    const lines = best.map((k) => {
      const name = make("th", { scope: "row" }, classes[k]);
      if (k === truth) name.append(" ", make("b", {}, "← true"));
      return make("tr", {}, name, cell(recorded[k]), cell(now[k]));
    });
    rows.replaceChildren(...lines);
  }
  return { table, show };
}

/** The same in words, for those who hear the page. */
function answerInWords(title, classes, recorded, now, truth) {
  const [best] = ranked(now);
  const [before] = ranked(recorded);
  const right = best === truth ? "which is right" : `the true class has ${percent(now[truth])}`;
  const moved = best === before ? `recorded ${percent(recorded[best])}` : `before: ${classes[before]}`;
  return `${title ? `${title}: ` : ""}${classes[best]}, ${percent(now[best])} (${moved}); ${right}.`;
}
