// What one finds: the recorded answers to edits of the clip on show, folded, for the reader to check.

function foundFold(networks, classes) {
  const list = make("dl");
  const summary = make("summary", {}, "What one finds with this clip, from the record");
  const fold = make("details", { class: "live-found" }, summary, list);

  function words({ title }, shares, truth) {
    const [best] = ranked(shares);
    const answer = `${classes[best]}, ${percent(shares[best])}`;
    if (truth === null) return answer;
    const verdict = best === truth ? "right" : "wrong";
    if (title) return `${title} ${verdict} (${percent(shares[truth])})`;
    return `${verdict}: ${answer}${best === truth ? "" : `; the true class ${percent(shares[truth])}`}`;
  }

  /** The edits of a clip; one of the reader's own has none on record. */
  function show({ edits, label }) {
    fold.hidden = !edits.length;
    const lines = edits.flatMap(({ title, probabilities }) => {
      const each = probabilities.map((shares, n) => words(networks[n], shares, label));
      return [make("dt", {}, title), make("dd", {}, each.join("; "))];
    });
    list.replaceChildren(...lines);
  }
  if (networks.length > 1) fold.append("In brackets: the share of the true class.");
  return { fold, show };
}
