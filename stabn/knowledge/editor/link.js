// Modules that came as texts, linked by the browser as if they had been files: each becomes a blob,
// and what imports it is told the blob's address. Scopes stay apart, and a debugger shows each by
// its name. Who allows anywidget, which loads this text from a blob, allows these.

/**
 * The last of the modules, loaded.
 *
 * modules: [name, text] of each, after those that it imports.
 */
export async function link(modules) {
  const places = {};
  for (const [name, text] of modules) {
    const source = text.replaceAll(/from "\.\/(.+?)"/g, (_, other) => `from "${places[other]}"`);
    const named = `${source}\n//# sourceURL=stabn/${name}\n`;
    places[name] = URL.createObjectURL(new Blob([named], { type: "text/javascript" }));
  }
  try {
    return await import(Object.values(places).at(-1));
  } finally {
    for (const place of Object.values(places)) URL.revokeObjectURL(place);
  }
}
