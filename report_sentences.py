"""The report in words: the answer in two sentences, what its words mean, what the numbers do not show.

Reads  the analysis (verdict.json's content); `report_pages.py` calls it.
"""

from finished_runs import SIZES
from report_tables import (
    DEMO_NOTE,
    METRIC_NAMES,
    capital,
    join_words,
    model_words,
    reading_of,
    show_count,
    show_p,
    show_share,
    speed_words,
)
from training_configs import ALL_EXPERIMENTS

# ---------------------------------------------------------------------------------------------------------------------
# The answer


def lead_sentences(analysis: dict) -> list[str]:
    """The answer in two sentences: the claim over all sizes, then whether it is quality that did it."""
    claim, sizes = analysis["config"]["claim"], analysis["sizes"]
    tested = {size: summary for size, summary in sizes.items() if is_tested(summary, analysis)}
    claimed = {size: summary for size, summary in tested.items() if size in analysis["verdict_sizes"]}
    shown = claimed or tested
    aim = f"the claim asks for {claim['retention']:.0%} or more in both"
    if not shown:
        return [f"Not tested: {missing_words(sizes, claim)}; {aim}.", control_sentence(sizes, claim)]
    demo = all(summary["demo"] for summary in shown.values())
    verdict = verdict_words(analysis, shown, demo)
    world = ", for the demo's own small world" if demo else ""
    ultra, medium = (rows_of(analysis, claim[role], shown) for role in ("ultra", "medium"))
    kept = "; ".join(kept_at(size, summary, claim, alone=len(shown) == 1) for size, summary in shown.items())
    first = (
        f"{capital(verdict)}{world}: of the gain that {medium} rows ({claim['medium']}) bring over the anchor "
        f"{claim['anchor']}, the {ultra} best-scored rows ({claim['ultra']}) keep {kept}; {aim}."
    )
    return [first, control_sentence(shown, claim)]


def verdict_words(analysis: dict, shown: dict, demo: bool) -> str:
    """The verdict over all sizes; where not all of it could be tested, what each part says instead."""
    if demo:
        verdicts = [
            "not fully tested" if item["verdict"] == "not tested" else item["verdict"] for item in shown.values()
        ]
        return join_words(list(dict.fromkeys(verdicts)))
    if analysis["verdict"] != "not tested":
        return analysis["verdict"]
    verdicts = {size: analysis["sizes"][size]["verdict"] for size in analysis["verdict_sizes"]}
    words = {size: "not fully tested" if size in shown and verdict == "not tested" else verdict
             for size, verdict in verdicts.items()}  # fmt: skip
    if len(words) == 1:
        return next(iter(words.values()))
    return join_words([f"{verdict} at {size}" for size, verdict in words.items()])


def is_tested(summary: dict, analysis: dict) -> bool:
    """Whether any metric of a size could be tested against the primary anchor."""
    anchor = analysis["config"]["claim"]["anchor"]
    return any(anchors[anchor]["verdict"] != "not tested" for anchors in summary["retention"].values())


def rows_of(analysis: dict, arm: str, sizes) -> str:
    """The rows that an arm really trained on at `sizes`: one number, or that of each size where they differ."""
    counts = {run["size"]: run["rows"] for run in analysis["runs"] if run["base_arm"] == arm and run["size"] in sizes}
    different = dict.fromkeys(f"{count:,}" for count in counts.values())
    return " or ".join(different) or "(unknown)"


def kept_at(size: str, summary: dict, claim: dict, alone: bool) -> str:
    """What is kept at one size; one that stands alone is named with its model, unless it is a demo."""
    results = {metric: anchors[claim["anchor"]] for metric, anchors in summary["retention"].items()}
    words = join_words([retained_phrase(result, METRIC_NAMES[metric]) for metric, result in results.items()])
    if not alone:
        return f"at {size} {words}"
    stands_in = None if size in SIZES else f"a stand-in for {join_words(SIZES)}"
    return words if summary["demo"] else f"{words}, at size {size}{in_brackets(model_words(summary), stands_in)}"


def in_brackets(*parts: str | None) -> str:
    """What is known of the parts, such as " (scratch, 1.4M parameters)"; empty where nothing is."""
    known = ", ".join(part for part in parts if part)
    return f" ({known})" if known else ""


def retained_phrase(result: dict, metric: str) -> str:
    if result["verdict"] == "not tested":
        return f"an unknown share in {metric} (missing or not comparable: {', '.join(result['missing'])})"
    if result["R"] is None:
        side = {"supported": "enough by T, but ", "refuted": "too little by T, and "}.get(result["verdict"], "")
        return f"{side}no share that can be stated in {metric} ({result['R_missing_because']})"
    doubt = " (inconclusive)" if result["verdict"] == "inconclusive" else ""
    return f"{show_share(result['R'], result['R_interval'])} in {metric}{doubt}"


def missing_words(sizes: dict, claim: dict) -> str:
    results = [anchors[claim["anchor"]] for summary in sizes.values() for anchors in summary["retention"].values()]
    names = sorted({name for result in results for name in result.get("missing", [])})
    return f"{join_words(names)} {'is' if len(names) == 1 else 'are'} missing or not comparable"


def missing_sentences(analysis: dict) -> list[str]:
    """One sentence for each size of the claim that could not be tested, with the command that starts on it, or, of runs
    that are there but cannot be used, where their reasons stand."""
    anchor, sentences = analysis["config"]["claim"]["anchor"], []
    present = {run["experiment"] for run in analysis["runs"]} | {item["experiment"] for item in analysis["left_out"]}
    for size, summary in analysis["sizes"].items():
        if is_tested(summary, analysis):
            continue
        missing = {name for anchors in summary["retention"].values() for name in anchors[anchor].get("missing", [])}
        names = [name for name in ALL_EXPERIMENTS if name in missing] or sorted(missing)
        absent, unusable = ([name for name in names if (name in present) == there] for there in (False, True))
        sentence = f"{size}: not tested."
        if absent:
            sentence += f" Missing: {', '.join(absent)}. Train each by its name: "
            sentence += f"python train_quality_comparison.py {absent[0]}"
        if unusable:
            sentence += f" There, but not comparable: {', '.join(unusable)}; what was left out has the reasons."
        sentences.append(sentence)
    return sentences


# ---------------------------------------------------------------------------------------------------------------------
# The controls


CONTROL_WORDS = {"random": "random rows", "longest": "the longest rows", "source_matched": "random rows of its sources",
                 "length_matched": "random rows of its lengths"}  # fmt: skip


def control_sentence(sizes: dict, claim: dict) -> str:
    parts = [words for size, summary in sizes.items() if (words := controls_words(size, summary, len(sizes) > 1))]
    if not parts:
        return (
            f"No run on as many rows picked otherwise can be compared with {claim['ultra']}, so that quality cannot be "
            "told from luck or length."
        )
    return f"Against as many rows picked otherwise, {claim['ultra']} is {'; '.join(parts)}{taken_words(sizes)}."


def taken_words(sizes: dict) -> str:
    """The controls that differ by a test alone, but not after the correction for all tests of the question."""
    taken = [
        f"{reading_of(contrast, 'p')} than {control_words(contrast)} in {METRIC_NAMES[contrast['metric']]} "
        f"(p {show_p(contrast['p'])}, corrected {show_p(contrast['p_holm'])})"
        for summary in sizes.values() for contrast in control_contrasts(summary)
        if reading_of(contrast) != reading_of(contrast, "p")
    ]  # fmt: skip
    return f"; by a single test alone it would be {join_words(taken)}" if taken else ""


def controls_words(size: str, summary: dict, named: bool) -> str | None:
    """At one size: the controls with the same reading on the same metrics, named together."""
    by_control = {}
    for contrast in control_contrasts(summary):
        by_control.setdefault(control_words(contrast), []).append(contrast)
    groups = {}
    for control, contrasts in by_control.items():
        groups.setdefault(readings_words(contrasts), []).append(control)
    parts = [f"{words} than {join_words(names)}" for words, names in groups.items()]
    return (f"at {size} " if named else "") + ", ".join(parts) if parts else None


def readings_words(contrasts: list[dict]) -> str:
    """Such as "better in both metrics", or "better in bits per byte and worse in task completion"."""
    by_reading = {}
    for contrast in contrasts:
        by_reading.setdefault(reading_of(contrast), []).append(METRIC_NAMES[contrast["metric"]])
    if list(by_reading) == ["not distinguishable"]:
        return "not detectably better or worse"
    names = {word: "both metrics" if len(metrics) > 1 else metrics[0] for word, metrics in by_reading.items()}
    return join_words([f"{READING_WORDS[word]} in {metrics}" for word, metrics in names.items()])


READING_WORDS = {"better": "better", "worse": "worse", "not distinguishable": "not detectably different"}


def control_words(contrast: dict) -> str:
    if len(contrast["b"]) > 1:
        return "random rows (mean of their draws)"
    return CONTROL_WORDS.get(contrast["second"].rsplit("_", 1)[0], contrast["second"])


def control_contrasts(summary: dict) -> list[dict]:
    """The contrasts of ultra against as many other rows that could be tested; of several random draws their mean."""
    found = [item for item in summary["contrasts"] if item["p"] is not None and item["family"] == "controls"]
    drawn = {arm for item in found if len(item["b"]) > 1 for arm in item["b"]}
    return [item for item in found if item["second"] not in drawn]


# ---------------------------------------------------------------------------------------------------------------------
# What the words mean


def glossary(analysis: dict) -> list[tuple[str, str]]:
    """(term, meaning) of what a reader meets first, with the numbers of this study."""
    claim = analysis["config"]["claim"]
    ultra, medium, anchor, base = arms = [claim[role] for role in ("ultra", "medium", "anchor", "base")]
    facts = {arm: arm_facts(analysis, arm) for arm in arms}
    terms = [
        (ultra, f"the best-scored rows of the cleaned pool{facts[ultra]}"),
        (
            medium,
            f"a hundred times as many rows, the best-scored again{facts[medium]}; those of {ultra} are among them, the "
            "others score lower",
        ),
        (anchor, f"the anchor{facts[anchor]}: random rows, enough to learn the format and little else"),
        (base, "the model before this training"),
        ("bits per byte", "how many bits the model needs to predict a byte of a held-out response; lower is better"),
        ("task completion", "share of prompts whose answer a program finds right; higher is better"),
        (
            "gain kept, R",
            f"({ultra} − {anchor}) / ({medium} − {anchor}), with a 95% interval in brackets; shown only where the "
            "divisor is clear of zero",
        ),
        (
            "supported, refuted",
            f"T = ultra − {claim['retention']:g} medium − {1 - claim['retention']:.1g} anchor is above zero by its "
            f"one-sided {claim['confidence']:.0%} bound, or below zero by the other one; in between, or with medium "
            "below the anchor: inconclusive. A size needs support in both metrics, and one refutation refutes it",
        ),
    ]
    terms = [term for term in terms if term[0] != base or facts[base]]
    labels = [label for label in analysis["scale_label"].split(", ") if "1:" in label]
    meaning = "the pool is too small for a million rows: a subset has this share of the rows in its name"
    return [*terms, *[(label, meaning) for label in labels]]


def arm_facts(analysis: dict, arm: str) -> str:
    """Rows, passes and seeds of an arm, as the first size that has it trained it; empty where none has."""
    runs = [run for run in analysis["runs"] if run["base_arm"] == arm]
    if not runs:
        return ""
    first = runs[0]
    seeds = len({run["experiment"] for run in runs if run["size"] == first["size"]})
    passes = f"{first['epochs']} pass{'es' if first['epochs'] != 1 else ''}"
    return f" ({first['rows']:,} rows, {passes}{f', {seeds} seeds' if seeds > 1 else ''})" if first["rows"] else " "


# ---------------------------------------------------------------------------------------------------------------------
# What the numbers do not show


def limits(analysis: dict) -> list[str]:
    """The objections that a sceptical reader would raise, said beside the numbers, with those numbers."""
    points = []
    for size, summary in analysis["sizes"].items():
        if summary["demo"]:
            points.append(f"Size {size} is the {DEMO_NOTE}.")
        elif size in analysis["verdict_sizes"]:
            points += size_limits(size, summary, analysis)
    points += seed_limits(analysis)
    points += [
        "Held-out rows are drawn from the whole pool, as medium's rows nearly are and ultra's are not: part of "
        "medium's advantage in bits per byte is that it has seen more text of the test's kind (the table by source "
        "shows where). Task completion does not share this.",
        "The tiers are nested selections from one pool: number of rows, quality, length and mix of sources change "
        "together. Only the comparisons at an equal number of rows separate quality from quantity, and no control is "
        "matched on source and length at once.",
        "Every arm has one recipe, tuned for none of them, and its last checkpoint counts. Few rows get more passes, "
        "so that arms differ in training tokens as well; the comparison at equal tokens stands among the tables.",
        "The score reads text only: it cannot see that a fluent answer is wrong. Another score might pick better rows.",
        "Task completion covers what a program can check, not how good an answer is to read.",
        "Resampling speaks of other examples from the same sources and task families, or of other sources and families "
        "like these where whole ones are resampled; not of tasks of another kind.",
        *refutation_limits(analysis),
        "Corrections for several tests are made within a question, not over all of them. Curves, rank correlations and "
        "cost are descriptions from few runs: they carry no verdict.",
        "Inconclusive is no evidence of a difference, nor of its absence; the tables say what could have been "
        "detected.",
    ]
    for size, summary in analysis["sizes"].items():
        points += [f"{size}: the compared runs differ in {note}." for note in summary["recipe_differences"]]
        for metric, anchors in summary["retention"].items():
            notes = {anchor: result.get("verdict_note") for anchor, result in anchors.items()}
            points += [
                f"{size}, {METRIC_NAMES[metric]} over {anchor}: {note}." for anchor, note in notes.items() if note
            ]
    return points


def refutation_limits(analysis: dict) -> list[str]:
    """How often chance alone refutes a claim that holds: support needs every part, one part is enough to refute."""
    claim = analysis["config"]["claim"]
    claimed = [summary for size, summary in analysis["sizes"].items() if size in analysis["verdict_sizes"]]
    results = [anchors[claim["anchor"]] for summary in claimed for anchors in summary["retention"].values()]
    parts = sum(result["verdict"] != "not tested" for result in results)
    if parts < 2:
        return []
    level = 1 - claim["confidence"]
    return [
        f"Support needs every one of the {parts} tests of the claim, each at {level:.0%}: chance supports a claim that "
        f"just fails in at most {level:.0%} of studies. One of them is enough to refute: chance refutes a claim that "
        f"just holds in up to {parts * level:.0%}."
    ]


FLOOR = 0.05  # a metric this near to its end says little


def size_limits(size: str, summary: dict, analysis: dict) -> list[str]:
    """What a stand-in model, a small scale and a medium that is most of the pool mean."""
    points, claim = [], analysis["config"]["claim"]
    runs = {run["base_arm"]: run for run in analysis["runs"] if run["size"] == size}
    if size not in SIZES:
        points.append(
            f"Size {size}{in_brackets(model_words(summary))} stands in for the sizes that the question is about, "
            f"{join_words(SIZES)}, of which there is no run here."
        )
    if summary["model"] == "scratch":
        points.append(
            f"The {size} model starts from random weights: it learns language and tasks from these rows alone, which "
            "asks for many of them. A pretrained model may need far fewer, so this is a hard case for the claim."
        )
    tasks = [item["value"] for item in summary["arms"]["task_completion"].values()]
    if tasks and max(tasks) < FLOOR:
        points.append(
            f"{size}: no model completes {FLOOR:.0%} of the tasks (the best {max(tasks):.1%}): the suite is too hard "
            "for it, and task completion can hardly tell its subsets apart, whatever they are worth."
        )
    if tasks and min(tasks) > 1 - FLOOR:
        points.append(
            f"{size}: every model completes over {1 - FLOOR:.0%} of the tasks: the suite is too easy, and task "
            "completion can hardly tell its subsets apart."
        )
    for metric, drawn in summary["resampling"].items():
        if drawn["groups"] and drawn["unit"] != drawn["group_words"]:
            points.append(
                f"{size}, {METRIC_NAMES[metric]}: {drawn['groups']} {drawn['group_words']} are too few to resample, so "
                f"intervals are over {drawn['unit']} and say nothing of other {drawn['group_words']}. Where these "
                "respond differently to a choice of rows, they are too narrow."
            )
    ultra, medium = (runs.get(claim[role]) for role in ("ultra", "medium"))
    if ultra and medium and ultra["tokens"] and medium["tokens"]:
        points.append(
            f"{size}: {claim['ultra']} trained on {show_count(ultra['tokens'])} tokens, {claim['medium']} on "
            f"{show_count(medium['tokens'])}, passes counted."
        )
    read = [f"{arm} {show_count(runs[arm]['tokens'])}" for arm in (claim["ultra"], *claim["controls"]) if arm in runs]
    if len(read) > 1:
        points.append(f"{size}: as many rows are not as many tokens: {', '.join(read)}, passes counted.")
    if words := speed_words(summary):
        points.append(f"{size}: {words}. Costs in time compare loads of the machine as well; costs in tokens do not.")
    fraction = ((medium or {}).get("subset_facts") or {}).get("pool_fraction")
    if fraction and fraction > 0.5:
        points.append(
            f"{size}: {claim['medium']} takes {fraction:.0%} of the cleaned pool, so that it is nearly the pool as it "
            "comes, not a choice of medium rows."
        )
    return points


def seed_limits(analysis: dict) -> list[str]:
    """Which differences between training runs the intervals hold."""
    repeated = [summary["seeds"]["bits_per_byte"]["runs_per_arm"] for summary in analysis["sizes"].values()]
    if not any(repeated):
        return ["One training seed per arm: the intervals speak of other test examples, not of other training runs."]
    named = "; ".join(
        f"at {size} {', '.join(f'{arm} ({count})' for arm, count in runs.items())}"
        for size, runs in zip(analysis["sizes"], repeated, strict=True) if runs
    )  # fmt: skip
    return [
        f"Arms with several training seeds: {named}. Their spread, taken to be the same for all arms of a size, "
        "stands in the intervals of the others too; from so few runs it is known roughly, for which the intervals are "
        "widened. An arm with one seed borrows it: were its own wider, intervals and verdict would be too sure. A size "
        "without repeats has no such part in its intervals.",
        "Other draws of the rows of one rule are arms of their own and not in the intervals.",
    ]


def left_out_sentences(analysis: dict) -> list[str]:
    return [
        f"{item['experiment']}{', ' + item['metric'].replace('_', ' ') if item['metric'] else ''}: {item['reason']}"
        for item in analysis["left_out"]
    ]


def not_run_sentences(analysis: dict) -> list[str]:
    """Planned experiments that are not there, of the sizes that are."""
    present = {run["size"] for run in analysis["runs"]}
    return [
        f"{size}: {', '.join(summary['missing'])}"
        for size, summary in analysis["sizes"].items() if size in present and summary["missing"]
    ]  # fmt: skip
