// What several networks answer to one clip: classes down, networks across, in an order that stays,
// so that a drag moves shares and not rows. For networks of a handful of classes.

function comparedTable(networks, classes) {
  const heads = networks.map(({ title }) => make("th", { scope: "col" }, title));
  const [rows, foot] = [make("tbody"), make("tfoot")];
  const top = make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "class"), ...heads));
  const many = networks.length > 2 ? " live-many" : "";
  const table = make("table", { class: `live-answers live-compared${many}` }, top, rows, foot);

  /** One network's answer for one class, and the recorded one below; the likeliest in bold. */
  function cell(shares, before, k) {
    const share = make(ranked(shares)[0] === k ? "b" : "span", {}, percent(shares[k]));
    const was = make("small", {}, `was ${percent(before[k])}`);
    return make("td", { style: `--share: ${shares[k]}` }, share, was);
  }

  /** The answer of each network as recorded and now, and the true class. */
  function show(answersBefore, answers, truth) {
    const recorded = answersBefore.map(({ probabilities }) => probabilities);
    const now = answers.map(({ probabilities }) => probabilities);
    const lines = classes.map((text, k) => {
      const name = make("th", { scope: "row" }, text);
      if (k === truth) name.append(" ", make("b", {}, "← true"));
      return make("tr", {}, name, ...now.map((shares, n) => cell(shares, recorded[n], k)));
    });
    rows.replaceChildren(...lines);
    const verdict = (shares) => (ranked(shares)[0] === truth ? "right" : "wrong");
    const verdicts = now.map((shares, n) => {
      const was = make("small", {}, `was ${verdict(recorded[n])}`);
      return make("td", {}, make("b", {}, verdict(shares)), was);
    });
    foot.replaceChildren(make("tr", {}, make("th", { scope: "row" }, "the answer is"), ...verdicts));
  }
  return { table, show };
}
