// One page's line to Python: what was sent, what was answered, whether anybody is there.

const PATIENCE = 5000; // ms without an answer after which we say so

/** One page's line to the kernel: numbers each step, knows which ones were answered. */
export function connect(model, changed) {
  const line = { client: crypto.getRandomValues(new Uint32Array(2)).join("-"), pending: [] };
  let seq = 0;
  line.silent = false; // Python has not answered for a while
  line.gone = false; // the widget's channel was closed
  line.away = false; // the page around finds the kernel nowhere, for now
  line.send = (op, fields = {}) => {
    seq += 1;
    line.pending.push({ seq, op, at: Date.now() });
    try {
      model.send({ op, seq, client: line.client, ...fields });
    } catch {
      line.silent = true;
    }
    setTimeout(line.check, PATIENCE + 50);
    changed();
  };
  line.check = () => {
    const oldest = line.pending[0];
    const silent = line.gone || line.away || (oldest !== undefined && Date.now() - oldest.at >= PATIENCE);
    if (silent !== line.silent) {
      line.silent = silent;
      changed();
    }
  };
  line.heard = ([client, number] = []) => {
    if (client !== line.client) return;
    line.pending = line.pending.filter((step) => step.seq > number);
    line.silent = line.gone || line.away;
  };
  line.unsaved = () => line.pending.filter((step) => step.op !== "hello").length;
  return line;
}
