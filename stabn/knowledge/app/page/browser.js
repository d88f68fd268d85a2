// What only the browser can do: remember the name, say times as its own zone has them, and tell
// screen readers what the widgets do not.
(() => {
  // A copied address is to lead nobody on under another's name.
  history.replaceState(null, "", location.pathname);
  document.getElementById("rendered_cells").setAttribute("role", "main");
  const remember = (name) => { // for the form that comes first
    try { localStorage.setItem("stabn name", name); } catch { /* a browser may refuse */ }
  };
  const local = (time) => {
    const moment = new Date(time.dateTime);
    const today = moment.toDateString() === new Date().toDateString();
    time.textContent = moment.toLocaleString([], {
      timeStyle: "medium", ...(today ? {} : { dateStyle: "medium" }) });
  };
  const look = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) if (time.textContent.endsWith("UTC")) local(time);
    for (const toast of root.querySelectorAll(".stabn-toast")) toast.setAttribute("role", "status");
    for (const one of root.querySelectorAll("[data-annotator]")) remember(one.dataset.annotator);
  };
  new MutationObserver(() => look(document)).observe(document.body, { childList: true, subtree: true });
})();
