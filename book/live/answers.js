// What a network answers: the likeliest classes and the true one, with the recorded answer beside.

const SHOWN = 5;

/**
 * @param before what the answer was before the reader changed anything, in a word.
 * @param numbers whether the logits stand beside: recorded → now.
 */
function answersTable(classes, before, numbers) {
  const rows = make("tbody");
  const columns = ["class", before, "now", ...(numbers ? ["logit"] : [])];
  const head = columns.map((text) => make("th", { scope: "col" }, text));
  const top = make("thead", {}, make("tr", {}, ...head));
  const table = make("table", { class: "live-answers" }, top, rows);

  const cell = (share) => make("td", { style: `--share: ${share}` }, percent(share));

  const change = (before, after) =>
    make("td", { class: "live-logit" }, signed(before), " →\u00a0", signed(after));

  /** The one network's answers as recorded and now, and the true class, where it is known. */
  function show([recorded], [now], truth) {
    const best = ranked(now.probabilities).slice(0, SHOWN);
    if (truth !== null && !best.includes(truth)) best.push(truth);
    const lines = best.map((k) => {
      const name = make("th", { scope: "row" }, classes[k]);
      if (k === truth) name.append(" ", make("b", {}, "← true"));
      const both = [recorded, now].map(({ probabilities }) => cell(probabilities[k]));
      const logits = numbers ? [change(recorded.logits[k], now.logits[k])] : [];
      return make("tr", {}, name, ...both, ...logits);
    });
    rows.replaceChildren(...lines);
  }
  return { table, show };
}

/** The same in words, for those who hear the page. */
function answerInWords(title, classes, recorded, now, truth, as) {
  const [best] = ranked(now);
  const [before] = ranked(recorded);
  const right = best === truth ? "which is right" : `the true class has ${percent(now[truth])}`;
  const was = best === before ? "" : `${classes[before]}, `;
  const moved = `${as} ${was}${percent(recorded[before])}`;
  const known = truth === null ? "" : `; ${right}`;
  return `${title ? `${title}: ` : ""}${classes[best]}, ${percent(now[best])} (${moved})${known}.`;
}
