"""What a training learned and what it did not, in plain sentences for the owner."""

from collections.abc import Mapping
from typing import Any

_BROWSING = {
    "position": "People look at each position by itself, whatever they clicked above.",
    "cascade": "What people look at depends on what they clicked above it (a cascade).",
    "trust": "People trust high positions: part of the clicks there is owed to the position.",
}


def describe_training(report: Mapping[str, Any]) -> list[str]:
    """The sentences for a training's report (`TrainingReport.as_dict`): what was measured and what assumed, what is
    gained and how surely, how many queries may lose, what was set aside, and what to do next."""
    data, gate, aside = report["data"], report["gate"], sum(report["set_aside"].values())
    share = aside / max(data["clicks"] + aside, 1)
    told = [
        f"{data['clicks']:,} clicks in {data['searches']:,} searches for {data['queries']:,} queries on "
        f"{data['days']:,} days; {share:.1%} of what people did was set aside as spam.",
        *describe_browsing(report["browsing"]),
    ]
    known, swapped = gate.get("known"), gate.get("swapped")
    if known:
        told.append(
            f"What people want is expected to stand {known['lift']:+.1%} higher, between {known['lower']:+.1%} and "
            f"{known['upper']:+.1%} with the doubt about how far they look; {known['harmed']:.0%} of the queries are "
            f"expected to lose, at most {known['most_harmed']:.0%}."
        )
    if swapped and swapped["clicks"]:
        agrees = "for" if swapped["z"] > 0 else "against"
        told.append(
            f"Without any assumption: items that took turns at one position speak {agrees} the new order "
            f"({swapped['z']:+.1f} standard deviations, {swapped['clicks']:,} clicks)."
        )
    if gate["publish"]:
        new = "also" if gate["serves_new_queries"] else "not"
        told.append(
            f"Published: the first {gate['depth']} hits are reordered, {new} for queries that nobody asked yet."
        )
    else:
        told.append(f"Not published: {gate['reason']}")
    if data["held_back"]:
        told.append(
            f"{data['held_back']:,} hits rise by two places only, since nothing but clicks on them promises more: if "
            "people want them, the next trainings raise them further; if somebody pushes them, look at them now."
        )
    return [*told, _next_step(report)]


def describe_browsing(browsing: Mapping[str, Any]) -> list[str]:
    """Whether it was measured how far people look, and how they browse."""
    curve = browsing["propensities"]
    if browsing["refuted"]:
        how = (
            "How far people look is assumed, not measured: many items have more clicks than the measured curve allows."
        )
    elif curve["measured"]:
        fifth, tenth = (f"{curve['theta'][k]:.2f} (± {curve['se'][k]:.2f})" for k in (4, 9))
        how = f"How far people look was measured: for each who looks at the first hit {fifth} look at the fifth"
        how += f" and {tenth} at the tenth."
    else:
        how = (
            "How far people look is assumed, not measured: too few items were shown at several positions. "
            "So only what is clicked more often than what stands above it can rise."
        )
    return [how, _BROWSING[browsing["chosen"]]]


def _next_step(report: Mapping[str, Any]) -> str:
    if not report["browsing"]["propensities"]["measured"]:
        return (
            "Next: serve with MAGPIE_EXPLORE_SHARE=0.05, the default: one search in twenty shows two hits exchanged, "
            "which costs well under 1 % of the clicks and measures how far people look. Train again after some weeks."
        )
    if report["published"]:
        return "Next: magpie serve --compare first-stage current shows on people themselves which order they prefer."
    return "Next: go on collecting clicks, and train again every night."
