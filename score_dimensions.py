"""The four dimensions of the score, each in [0, 1], from the sub-scores of `pair_features.py` by name.

Sums stand for what may make up for each other, products for what may not: an answer that is cut, looped or off the
point is not saved by what else it has. `quality_scorer.py` weighs the four; `scorer_ablation.py` takes them apart.
Reads and writes nothing.
"""

from text_features import clamp


def blend(parts: list[tuple[float, float]]) -> float:
    """Weighted mean of (weight, value)."""
    return sum([weight * value for weight, value in parts]) / sum([weight for weight, _ in parts])


def fluency(parts: dict[str, float]) -> float:
    """Word order, spelling, casing and cleanness together: one that fails spoils the text."""
    return parts["word_order"] * parts["spelling"] * parts["casing"] * parts["code_order"] * parts["no_remains"]


def finished(parts: dict[str, float]) -> float:
    """Completeness, where it matters less."""
    return 0.8 + 0.2 * parts["completeness"]


def clarity(parts: dict[str, float]) -> float:
    """How clear the pair is to read: what is asked, how specifically, how well formed; and the answer's wording."""
    ask_side = blend(
        [
            (0.35, parts["asks"]),
            (0.30, parts["specificity"]),
            (0.20, parts["well_formed"]),
            (0.15, parts["ask_readability"]),
        ]
    )
    answer_side = fluency(parts) * parts["no_refusal"] * (0.8 + 0.2 * parts["answer_readability"])
    answer_side *= 0.4 + 0.6 * parts["relevance"]  # what is off the point makes nothing clear
    return clamp(0.7 * ask_side + 0.3 * answer_side)


def response_quality(parts: dict[str, float]) -> float:
    """Substance times soundness: one that is cut, looped, shuffled or off the point is not saved by its length."""
    substance = parts["density"] * blend([(0.75, parts["content"]), (0.25, parts["structure"])])
    sound = fluency(parts) * parts["coherence"] * (0.2 + 0.8 * parts["completeness"])
    sound *= parts["no_loops"] * parts["no_refusal"] * parts["no_padding"] * parts["arithmetic"] * parts["form"]
    return clamp(substance * sound * (0.1 + 0.9 * parts["relevance"]))


def diversity(parts: dict[str, float]) -> float:
    """Vocabulary diversity of the answer, and how fresh the instruction's template and topic are in the corpus."""
    sound = parts["spelling"] * parts["no_loops"] * parts["no_refusal"] * parts["no_padding"] * parts["no_remains"]
    sound *= finished(parts)
    return clamp(blend([(0.6, parts["vocabulary"] * sound), (0.2, parts["template"]), (0.2, parts["topic"])]))


def complexity(parts: dict[str, float]) -> float:
    """Reasoning depth, technical content and knowledge brought together in the answer, and constraints in the ask."""
    depth = blend([(0.35, parts["reasoning"]), (0.4, parts["technical"]), (0.25, parts["knowledge"])])
    sound = fluency(parts) * parts["no_loops"] * parts["no_padding"] * parts["density"] * finished(parts)
    sound *= parts["arithmetic"] * parts["form"]
    answer_side = depth * sound * (0.2 + 0.8 * parts["relevance"])
    return clamp(0.7 * answer_side + 0.3 * parts["constraints"] * parts["no_refusal"])
