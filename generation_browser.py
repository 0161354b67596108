"""What the models write, side by side: one self-contained page to search and filter; `analyze_results.py` calls it.

Reads  <run>/generation_analysis/generations/ and <run>/evaluation/task_completion/ of every run that has them
Writes <output>/generations.html

The page opens offline and asks for nothing. The answers stand in it as JSON and reach the page as text nodes only, so
that HTML or script in them is shown, never run; a policy in the page forbids every outside address as well.
"""

import json
import sys
from pathlib import Path

from arrow_files import read_arrow
from common import UserError, write_text
from report_pages import STYLE_SHEET

MAX_PROMPTS = 200  # of each kind, the first of every family in turn: none is picked for its answers
MAX_CHARACTERS = 4_000  # of one text


def write_browser(runs: list[dict], output: Path) -> str | None:
    """Write the page of all runs' answers; its name, or null where no run has any. `runs`: {"experiment", "folder"}."""
    path = output / "generations.html"
    path.unlink(missing_ok=True)
    data = browser_data(runs)
    if not data["prompts"]:
        return None
    write_text(path, PAGE.replace("/*style*/", STYLE_SHEET).replace("/*data*/", script_json(data)))
    return path.name


def browser_data(runs: list[dict]) -> dict:
    """{"models": names, "prompts": [{"id", "set", "family", "prompt", "reference", "answers": [...]}]}."""
    prompts: dict[tuple, dict] = {}
    names = [run["experiment"] for run in runs]
    for number, run in enumerate(runs):
        for kind, file in KINDS.items():
            for row in optional_rows(run["folder"] / file):
                add_answer(prompts, kind, row, number)
    return {"models": names, "prompts": [entry for kind in KINDS for entry in spread(prompts.values(), kind)]}


KINDS = {"held-out": "generation_analysis/generations", "suite": "evaluation/task_completion"}


def optional_rows(folder: Path) -> list[dict]:
    """The rows of a stage's Arrow folder; none where it is absent or without answers, or damaged, which is said."""
    try:
        rows = read_arrow(folder).to_pylist() if folder.exists() else []
    except UserError as error:
        print(f"left out: some answers of the page ({error})", file=sys.stderr)
        return []
    return [row for row in rows if "answer" in row and ("prompt" in row or "instruction" in row)]


def add_answer(prompts: dict, kind: str, row: dict, model: int) -> None:
    """One answer under its prompt; the prompt's text is part of the key, so that other suites never mix."""
    text = row.get("prompt", row.get("instruction"))
    family = str(row.get("family", row.get("source", "")))
    entry = {"id": str(row["id"]), "set": kind, "family": family, "prompt": text[:MAX_CHARACTERS]}
    entry |= {"reference": str(row.get("reference") or "")[:MAX_CHARACTERS], "answers": []}
    entry = prompts.setdefault((kind, row["id"], text), entry)
    flags = [word for word, is_so in (
        ("loops", row.get("looped")), ("empty", not row["answer"].strip()), ("refuses", row.get("refused")),
        ("cut off", row.get("ended") is False), ("other language", row.get("language_drifted")),
    ) if is_so]  # fmt: skip
    passed = row.get("passed")
    answer = {"model": model, "sample": row.get("sample", 0), "text": row["answer"][:MAX_CHARACTERS]}
    entry["answers"].append({**answer, "passed": None if passed is None else bool(passed), "flags": flags})


def spread(prompts, kind: str) -> list[dict]:
    """At most MAX_PROMPTS of one kind, families in turn, each in its order."""
    families: dict[str, list[dict]] = {}
    for entry in prompts:
        if entry["set"] == kind:
            families.setdefault(entry["family"], []).append(entry)
    longest = max(map(len, families.values()), default=0)
    turns = [entries[place] for place in range(longest) for entries in families.values() if place < len(entries)]
    return turns[:MAX_PROMPTS]


def script_json(data: dict) -> str:
    """JSON that can stand inside a script element: nothing in it closes the element or ends a line of script."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace").decode()


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>What the models write</title>
<style>/*style*/
body { max-width: 90rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem .8rem; align-items: end; margin: 1rem 0 .4rem; }
label { display: grid; font-size: .8rem; color: var(--soft); gap: .15rem; min-width: 0; }
input, select, button { font: inherit; font-size: .95rem; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: .3rem; padding: .3rem .5rem; max-width: 100%; }
article { border-top: 1px solid var(--line); padding: .8rem 0 1.2rem; }
article h2 { border: 0; margin: 0; padding: 0; font-size: .85rem; font-weight: 500; color: var(--soft); }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: .7rem; }
.answer { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .7rem;
  min-width: 0; }
.answer h3 { margin: 0; font-size: .82rem; } .answer.pass { border-top: 3px solid var(--supported); }
.answer.fail { border-top: 3px solid var(--refuted); }
.pass h3 b { color: var(--supported); } .fail h3 b { color: var(--refuted); }
.flags { color: var(--soft); font-size: .78rem; margin: 0; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .88rem; line-height: 1.45; max-height: 22rem;
  overflow: auto; margin: .3rem 0; unicode-bidi: isolate; }
.prompt { font-size: 1rem; max-width: 60rem; }
nav { display: flex; gap: .6rem; align-items: center; margin: .6rem 0; }
</style>
</head>
<body>
<main>
<h1>What the models write</h1>
<p class="note">The same prompts for every model, families in turn. Held-out rows are shown with greedy and sampled
answers and have no pass or fail; suite prompts have.</p>
<form id="filters">
<label>Text<input id="q" type="search" placeholder="in prompt or answer"></label>
<label>Set<select id="set"><option value="">all</option><option>held-out</option><option>suite</option></select></label>
<label>Family or source<select id="family"><option value="">all</option></select></label>
<label>Result<select id="result"><option value="">all</option><option value="pass">some model passes</option>
<option value="fail">some model fails</option><option value="differ">models differ</option></select></label>
<label>Trouble<select id="flag"><option value="">any or none</option><option>loops</option><option>empty</option>
<option>refuses</option><option>cut off</option><option>other language</option></select></label>
<label>Model<select id="model"><option value="">all</option></select></label>
<label>Answers<select id="sample"><option value="0">greedy</option><option value="all">greedy and sampled</option>
</select></label>
<label>Words, from<input id="min" type="number" min="0" style="width:5.5rem"></label>
<label>to<input id="max" type="number" min="0" style="width:5.5rem"></label>
<button type="reset">Clear</button>
</form>
<nav><button id="back">Back</button><span id="count" aria-live="polite"></span><button id="next">Next</button></nav>
<div id="list"></div>
</main>
<script id="data" type="application/json">/*data*/</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent), size = 10, names = ["q", "set", "family",
  "result", "flag", "model", "sample", "min", "max"], get = id => document.getElementById(id);
let page = 0;
for (const entry of data.prompts) for (const answer of entry.answers) {
  answer.words = answer.text.split(/\\s+/).filter(Boolean).length; answer.lower = answer.text.toLowerCase();
}
for (const entry of data.prompts) entry.lower = entry.prompt.toLowerCase();
function element(tag, name, text) {
  const made = document.createElement(tag); if (name) made.className = name;
  if (text !== undefined) made.textContent = text; return made;
}
function option(select, value, text) { const o = element("option", "", text); o.value = value; get(select).append(o); }
for (const family of [...new Set(data.prompts.map(p => p.family))].sort()) option("family", family, family);
data.models.forEach((name, index) => option("model", String(index), name));
function wanted(want) {
  const q = want.q.toLowerCase(), low = want.min === "" ? 0 : +want.min, high = want.max === "" ? Infinity : +want.max;
  return data.prompts.map(entry => {
    if (want.set && entry.set !== want.set || want.family && entry.family !== want.family) return null;
    const shown = entry.answers.filter(a => (want.sample === "all" || a.sample === 0) &&
      (want.model === "" || a.model === +want.model));
    const hits = shown.filter(a => a.words >= low && a.words <= high && (!want.flag || a.flags.includes(want.flag)) &&
      (!q || entry.lower.includes(q) || a.lower.includes(q)));
    const some = value => hits.some(a => a.passed === value);
    const right = { pass: some(true), fail: some(false), differ: some(true) && some(false) };
    return hits.length && (!want.result || right[want.result]) ? { entry, shown } : null;
  }).filter(Boolean);
}
function card(answer) {
  const state = answer.passed === null ? "" : answer.passed ? "pass" : "fail", box = element("div", "answer " + state);
  const head = element("h3", "", data.models[answer.model] + (answer.sample ? ", sample " + answer.sample : "") + " ");
  if (state) head.append(element("b", "", state));
  const words = answer.words + (answer.words === 1 ? " word" : " words");
  box.append(head, element("p", "flags", [words, ...answer.flags].join(" · ")));
  if (answer.words) box.append(element("div", "text", shorten(answer.text)));
  return box;
}
function shorten(text) {  // what loops in empty lines would push all else out of sight
  const note = lines => "\\n[" + (lines.split("\\n").length - 2) + " empty lines]\\n";
  return text.replace(/\\n(?:[^\\S\\n]*\\n){3,}/g, note).trim();
}
function show() {
  const want = Object.fromEntries(names.map(n => [n, get(n).value])), found = wanted(want);
  const last = Math.max(0, Math.ceil(found.length / size) - 1);
  page = Math.min(page, last);
  const list = document.createDocumentFragment();
  for (const { entry, shown } of found.slice(page * size, page * size + size)) {
    const part = element("article"), answers = element("div", "answers");
    part.append(element("h2", "", [entry.set, entry.family, entry.id].join(" · ")),
      element("div", "text prompt", entry.prompt));
    if (entry.reference) {
      const more = element("details"); more.append(element("summary", "", "Reference"),
        element("div", "text", entry.reference)); part.append(more);
    }
    const inOrder = [...shown].sort((a, b) => a.model - b.model || a.sample - b.sample);
    for (const answer of inOrder) answers.append(card(answer));
    part.append(answers); list.append(part);
  }
  get("list").replaceChildren(list);
  get("count").textContent = found.length + " of " + data.prompts.length + " prompts, page " + (page + 1) + " of " +
    (last + 1);
  get("back").disabled = page === 0; get("next").disabled = page === last;
  const state = new URLSearchParams(names.filter(n => want[n] && want[n] !== "0").map(n => [n, want[n]]));
  if (want.model === "0") state.set("model", "0");
  if (page) state.set("page", page);
  history.replaceState(null, "", "#" + state);
}
function load() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const n of names) get(n).value = state.get(n) ?? (n === "sample" ? "0" : "");
  page = +state.get("page") || 0; show();
}
get("filters").addEventListener("input", () => { page = 0; show(); });
get("filters").addEventListener("submit", event => event.preventDefault());
get("filters").addEventListener("reset", () => setTimeout(() => { page = 0; show(); }));
get("back").addEventListener("click", () => { page--; show(); scrollTo(0, 0); });
get("next").addEventListener("click", () => { page++; show(); scrollTo(0, 0); });
addEventListener("hashchange", load);
load();
</script>
</body>
</html>
"""
