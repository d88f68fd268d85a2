// A live figure: clips, an attention that can be changed, what networks answer. The recorded answer
// stands from the start. The first touch loads the network; from then on every change is computed.

const PRIVATE = "Nothing leaves your machine.";
const LATE = 150; // milliseconds, after which an answer that is not there yet is said to be computed

async function liveFigure(place) {
  const name = place.dataset.live;
  await load(`${name}.recorded.js`);
  const { classes, networks, clips, takes, note } = live.recorded[name];
  const painted = "cells" in clips[0]; // M_s is changed, else M_t
  const several = networks.length > 1;
  const attention = painted ? "map" : "weights";
  const first = takes ? "by itself" : "recorded"; // the answer before any change
  const answers = several
    ? comparedTable(networks, classes)
    : answersTable(classes, first, painted);
  const caption = make("p", { class: "live-caption" });
  const state = make("p", { class: "live-state", role: "status" });
  // beside a table of several the words are for those who hear the page alone
  const hidden = several ? " visually-hidden" : "";
  const spoken = make("p", { class: `live-words${hidden}`, role: "status" });
  const stage = make("div", { class: "live-stage" });
  let [engine, number, view, waiting, busy] = [null, 0, {}, null, false];

  const options = clips.map(({ title }, i) => make("option", { value: i }, title));
  const kind = clips[0].frames.length > 1 ? "Clip " : "Picture ";
  const choice = make("select", { onchange: () => showClip(Number(choice.value)) }, ...options);
  const reset = make("button", { type: "button", onclick: () => showClip(number) }, "Reset");
  const bar = make("div", { class: "live-tools" }, make("label", {}, kind, choice), reset);
  const title = make("p", { class: "live-title", "aria-hidden": "true" }); // a phone cuts the option's
  const found = foundFold(networks, classes);
  const answered = make("div", { class: "live-answered" }, caption, answers.table);
  const body = make("div", { class: `live-body${painted ? " live-painted" : ""}` }, stage, answered);

  const recorded = (network) => clips[number].answers[network];

  /** A clip with the networks' own attention, as recorded. */
  function showClip(chosen) {
    [number, view, waiting] = [chosen, {}, null];
    const { row, tools, show, put } = (painted ? paintedMap : framesRow)(clips[number], turn);
    show(recorded(0));
    stage.replaceChildren(row, tools, ...(several ? [lending(put)] : []));
    body.removeAttribute("aria-busy");
    found.show(clips[number]);
    title.textContent = clips[number].title;
    showWhose(null);
    showAnswers(networks.map((_, n) => recorded(n)));
    if (place.dataset.state === "failed") holdStill();
  }

  /** Buttons that give all networks the weights of one. */
  function lending(put) {
    const buttons = networks.map(({ title }, n) =>
      make(
        "button",
        { type: "button", "data-lends": n, onclick: () => put(attentionIn(recorded(n))) },
        title,
      ),
    );
    const label = `All networks get the ${attention} of`;
    return make("div", { class: "live-tools", role: "group", "aria-label": label }, label, ...buttons);
  }

  /** Whose attention (values,) is answered: everyone's own, where none is given. */
  function showWhose(given) {
    const same = (n) => attentionIn(recorded(n)).every((value, i) => value === given[i]);
    const owners = given ? networks.map((_, n) => n).filter(same) : [];
    for (const button of stage.querySelectorAll("[data-lends]")) {
      button.setAttribute("aria-pressed", owners.includes(Number(button.dataset.lends)));
    }
    const shown = painted ? "shown here" : "of the bars";
    const one = owners.length || !given ? `its own ${attention}` : `the ${attention} ${shown}`;
    const names = owners.map((n) => networks[n].title).join(" and of ");
    const all = `All networks have the ${attention} ${names ? `of ${names}` : shown}`;
    if (several) caption.textContent = given ? all : `Each network has its own ${attention}`;
    else caption.textContent = `The answer with ${one}`;
  }

  function showAnswers(found) {
    const truth = clips[number].label;
    const before = networks.map((_, n) => recorded(n));
    answers.show(before, found, truth);
    const words = found.map((now, n) => {
      const both = [before[n], now].map(({ probabilities }) => probabilities);
      return answerInWords(networks[n].title, classes, ...both, truth, first);
    });
    spoken.textContent = words.join(" ");
  }

  /** The reader changed an attention: of edits that come too fast, the last is answered. */
  async function turn(edit) {
    waiting = edit;
    showWhose(Object.values(edit)[0]);
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const [given, at, clip] = [waiting, view, number];
        waiting = null;
        await saidToCompute(async () => {
          const found = await compute(clip, given);
          if (at === view) showAnswers(found); // else the reader has gone on to another clip
          place.dataset.answered = mean(Object.values(given)[0]).toFixed(4);
        });
        sayReady();
      }
    } catch (error) {
      fail(error);
    }
    busy = false;
  }

  /** The figure says that it computes: at once before the first answer, later if it takes long. */
  async function saidToCompute(work) {
    const at = view;
    const sayIt = () => at === view && body.setAttribute("aria-busy", "true");
    if (place.dataset.state === "recorded") sayIt();
    const late = setTimeout(sayIt, LATE);
    try {
      return await work();
    } finally {
      clearTimeout(late);
      if (!waiting) body.removeAttribute("aria-busy");
    }
  }

  async function compute(clip, edit) {
    await start();
    const found = [];
    for (const network of networks) {
      await engine("look", network, clip);
      const logits = await engine("answer", network, clip, edit);
      found.push({ logits, probabilities: softmax(logits) });
    }
    return found;
  }

  /** A clip of the reader's joins the others, with what the networks make of it by themselves. */
  async function join(clip, stop) {
    const i = clips.length;
    const own = await saidToCompute(() => seen(clip, i, stop));
    sayReady();
    stop();
    clips.push({ ...clip, answers: own, label: null, edits: [] });
    choice.append(make("option", { value: i }, clip.title));
    choice.value = i;
    showClip(i);
  }

  /** What the networks make of pixels, by themselves, as clip i. */
  async function seen({ pixels }, i, stop) {
    await start();
    await engine("give", i, pixels);
    const own = [];
    for (const network of networks) {
      stop();
      const { temporal_attention, spatial_attention } = await engine("look", network, i);
      stop();
      const probabilities = softmax(await engine("answer", network, i, {}));
      const map = writtenMap(spatial_attention);
      own.push({ temporal: [...temporal_attention], map, probabilities });
    }
    return own;
  }

  async function start() {
    if (engine) return;
    say("loading", "Loading the network (6 MB, from the book’s own folder) …");
    engine = await startEngine(name);
    say("loading", "The network looks at its first clip …");
  }

  /** The first answer is there. */
  function sayReady() {
    if (place.dataset.state !== "loading") return;
    say("ready", `The network runs in this page. ${PRIVATE}`);
    setTimeout(() => compare().catch(fail), 300); // the reader's own change first
  }

  /** How far this page is from the library, over every clip and attention that is recorded. */
  async function compare() {
    let [worst, count] = [0, 0];
    for (let i = 0; i < clips.length; i++) {
      for (const edit of clips[i].edits) {
        const given = attentionIn(edit);
        const found = await compute(
          i,
          painted ? { spatial_attention: given } : { temporal_attention: given },
        );
        found.forEach((now, n) =>
          now.probabilities.forEach((share, k) => {
            worst = Math.max(worst, Math.abs(share - edit.probabilities[n][k]));
          }),
        );
        count += 1;
      }
    }
    place.dataset.worst = worst;
    const far = `at most ${worst < 1e-6 ? "0.000001" : worst.toFixed(6)}`;
    const checked = `For ${count} recorded attentions its probabilities differ from the library’s by ${far}.`;
    say("checked", `The network runs in this page. ${checked} ${PRIVATE}`);
  }

  function say(what, words) {
    place.dataset.state = what;
    state.textContent = words;
  }

  function holdStill() {
    const controls = stage.querySelectorAll(":is(input, button, select):not([data-plays])");
    for (const control of controls) control.disabled = true;
    stage.classList.add("still");
  }

  function fail(error) {
    engine = null;
    say("failed", `The network cannot run here (${error.message}); what you see is recorded.`);
    showClip(number);
  }

  showClip(0);
  if (typeof WebAssembly === "undefined") fail(new Error("this browser has no WebAssembly"));
  else {
    const touch = painted ? "Paint over the picture" : "Pull a bar";
    say("recorded", `What you see is recorded. ${touch}, and the network answers. ${PRIVATE}`);
  }
  const door = takes ? [videoDoor(takes, join)] : [];
  const told = note ? [make("p", { class: "live-note" }, note)] : [];
  place.replaceChildren(...door, bar, title, body, spoken, found.fold, ...told, state);
}

/** Of what is recorded: weights of the frames (T,), or a map (T·H′·W′,). */
const attentionIn = ({ temporal, map }) => temporal ?? shares(map);

document.addEventListener("DOMContentLoaded", () => {
  for (const place of document.querySelectorAll("[data-live]")) {
    liveFigure(place).catch(() => {}); // without its scripts the page keeps the recorded answer
  }
});
