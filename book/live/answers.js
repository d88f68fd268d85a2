// What a network answers: the likeliest classes and the true one, with the recorded answer beside.

const SHOWN = 5;

function answersTable(classes) {
  const rows = make("tbody");
  const head = ["class", "recorded", "now"].map((text) => make("th", { scope: "col" }, text));
  const top = make("thead", {}, make("tr", {}, ...head));
  const table = make("table", { class: "live-answers" }, top, rows);

  const cell = (share) => make("td", { style: `--share: ${share}` }, percent(share));

  /** Probabilities (K,) as recorded and now, of the one network, and the true class. */
  function show([recorded], [now], truth) {
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
