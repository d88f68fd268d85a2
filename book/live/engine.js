// The network, at work: onnxruntime in a worker, so that the page stays quick. A clip goes through
// an extractor once, whatever networks share it; a changed attention only through what lies behind.

/** What the worker does. It knows nothing of the page: its text follows onnxruntime's in a blob. */
function work() {
  const opened = {}; // sessions, by the hash of their ONNX
  const seen = {}; // what a part made of a clip, by the part's hash and the clip's number
  const given = {}; // pixels of clips that the reader brought
  let network, all;

  function bytes(base64) {
    const text = atob(base64);
    const found = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
    return found;
  }

  async function unpacked(base64) {
    const packed = new Blob([bytes(base64)]).stream();
    const stream = packed.pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  const session = (part) => (opened[part] ??= open(part));
  const open = async (part) => ort.InferenceSession.create(await unpacked(network.parts[part]));

  async function once(part, i, read) {
    const key = `${part} ${i}`;
    if (!seen[key]) seen[key] = await (await session(part)).run(await read());
    return seen[key];
  }

  /** What a network makes of clip i: features, and its own attentions, by name. */
  async function before({ extractor, attention }, i) {
    const found = await once(extractor, i, async () => ({
      clip: normalised(given[i] ?? (await pixelsOf(i))),
    }));
    if (!attention) return found; // its extractor goes up to the attention point
    return { ...found, ...(await once(attention, i, () => found)) };
  }

  /** Pixels uint8 (C, T, S, S) of clip i, out of those of all N clips, (C, T, N, S, S). */
  async function pixelsOf(i) {
    all ??= await unpacked(network.clips);
    const size = network.clip.reduce((product, length) => product * length);
    const [, side] = network.clip.slice(-2);
    const [area, count] = [side * side, all.length / size];
    const found = new Uint8Array(size);
    for (let row = 0; row < size / area; row++) {
      const from = (row * count + i) * area;
      found.set(all.subarray(from, from + area), row * area);
    }
    return found;
  }

  /** Pixels uint8 (C, T, S, S) → normalised float32 (1, C, T, S, S), as the library does it. */
  function normalised(pixels) {
    const values = new Float32Array(pixels.length);
    const each = pixels.length / network.clip[1];
    for (let i = 0; i < values.length; i++) {
      const colour = Math.floor(i / each);
      values[i] = (pixels[i] / 255 - network.mean[colour]) / network.std[colour];
    }
    return new ort.Tensor("float32", values, network.clip);
  }

  const orders = {
    async start(runtime, given) {
      network = given;
      ort.env.wasm.numThreads = 1;
      ort.env.wasm.wasmBinary = (await unpacked(runtime.wasm)).buffer;
      const mjs = new Blob([runtime.mjs], { type: "text/javascript" });
      ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(mjs) };
    },

    /** Pixels uint8 (3, T, S, S) are clip i from now on. */
    async give(i, pixels) {
      given[i] = pixels;
      for (const key of Object.keys(seen)) if (key.endsWith(` ${i}`)) delete seen[key];
    },

    /** A network's own attentions of clip i, by name. */
    async look(parts, i) {
      const { features, ...own } = await before(parts, i);
      return Object.fromEntries(Object.entries(own).map(([name, { data }]) => [name, data]));
    },

    /** Its logits for clip i with the attentions of an edit, by name, in place of its own. */
    async answer(parts, i, edit) {
      const given = { ...(await before(parts, i)) };
      for (const [name, values] of Object.entries(edit)) {
        given[name] = new ort.Tensor("float32", Float32Array.from(values), given[name].dims);
      }
      const found = await (await session(parts.answer)).run(given);
      return [...found.logits.data];
    },
  };

  let last = Promise.resolve(); // one order after the other: a session runs once at a time
  onmessage = ({ data: { id, order, given } }) => {
    last = last.then(async () => {
      try {
        postMessage({ id, found: await orders[order](...given) });
      } catch (error) {
        postMessage({ id, wrong: String(error) });
      }
    });
  };
}

/** The worker of one figure: `await engine(order, …)` gives what it found. */
async function startEngine(name) {
  if (typeof WebAssembly === "undefined") throw new Error("this browser has no WebAssembly");
  await Promise.all([load("runtime.js"), load(`${name}.network.js`)]);
  if (!live.runtime) throw new Error("this copy of the book was built without onnxruntime-web");
  const { ort, mjs, wasm } = live.runtime;
  const text = new Blob([ort, `\n;(${work})()`], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(text));
  const waiting = new Map();
  worker.onmessage = ({ data: { id, found, wrong } }) => {
    const { done, failed } = waiting.get(id);
    waiting.delete(id);
    if (wrong) failed(new Error(wrong));
    else done(found);
  };
  worker.onerror = (event) => {
    for (const { failed } of waiting.values()) failed(new Error(event.message));
  };
  let count = 0;
  const engine = (order, ...given) =>
    new Promise((done, failed) => {
      waiting.set(++count, { done, failed });
      worker.postMessage({ id: count, order, given });
    });
  await engine("start", { mjs, wasm }, live.networks[name]);
  return engine;
}
