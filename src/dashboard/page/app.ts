/// <reference lib="dom" />
/** The page: which view is shown, by the part of the address behind the #. */
import { compareView } from "./compare_view.ts";
import { h } from "./dom.ts";
import { openLive } from "./live.ts";
import { overviewView } from "./overview_view.ts";
import { runView } from "./run_view.ts";
import { studyView } from "./study_view.ts";

const main = document.getElementById("main")!;
const connection = document.getElementById("connection")!;

// The token is kept in a cookie from here on: it has no place in a history or on a screen.
if (new URLSearchParams(location.search).has("token")) {
  history.replaceState(null, "", location.pathname + location.hash);
}

const live = openLive((state) => {
  connection.textContent = state === "live" ? "live" : "connection lost, trying again …";
  connection.className = state;
});

let close: () => void = () => {};

function show(): void {
  close();
  const place = h("div");
  main.replaceChildren(place);
  const [kind, ...names] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  document.title = names.length > 0 ? `${names.at(-1)} – entail` : "entail";
  if (kind === "study") {
    close = studyView(place, live, { storage_id: Number(names[0]), study_name: names[1], storage: "" });
  } else if (kind === "run") close = runView(place, live, names[0]);
  else if (kind === "compare") close = compareView(place, names);
  else close = overviewView(place, live);
  scrollTo(0, 0);
}

addEventListener("hashchange", show);
show();
