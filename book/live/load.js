// What a page computes with comes as scripts that assign to `live`, for a page that is opened from
// a file may load scripts, and nothing else. Each is loaded once, when it is first asked for.

const HERE = new URL(".", document.currentScript.src).href;
const live = (window.live = { recorded: {}, networks: {} });
const asked = {};

/** The script of this name, from the folder that this one lies in. */
function load(name) {
  asked[name] ??= new Promise((there, missing) => {
    const script = document.createElement("script");
    script.src = HERE + name;
    script.onload = there;
    script.onerror = () => missing(new Error(`${name} does not lie beside the pages`));
    document.head.append(script);
  });
  return asked[name];
}
