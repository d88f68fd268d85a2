"""What was found, a sentence or two a finding: every number computed from run records."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from stabn.tables import fault, fault_tables, table2, table3
from stabn.tables.comparison import SIGNIFICANT, Tested, comparisons, mean_sd, p_words
from stabn.tables.finetunings import ARMS, SHORT
from stabn.tables.html import DASH, MISSING, fixed, table
from stabn.tables.table1 import paper_gains, study
from stabn.training.checkpoint import REPOSITORY

WAY = "paper_closing"  # the way that mends
SWAPPED, ALIGNED, ABSENT = map(fault.top1, (fault.SWAPPED, fault.ALIGNED, fault.ABSENT))


def claims(root: Path = REPOSITORY) -> str:
    """What the paper claims, what our records show of it, and whether that is more than luck."""
    gains = paper_gains(root)
    largest = max(gains, key=gains.get)
    rest = [gain for key, gain in gains.items() if key != largest]
    edits, falls = table2.paper_gains(root), table3.paper_falls(root)
    asked = (
        (
            f"ST-ABN is more accurate than the 3-D ResNet ({', '.join(largest)} frames; in the "
            f"other rows {fixed(min(rest), 1, signed=True)} to {fixed(max(rest), 1, signed=True)})",
            gains[largest],
            _of("st_abn", "baseline", comparisons(study(root))),
        ),
        (
            "Edits make it more accurate than before, over all classes",
            edits["all"],
            _of("knowledge", "before", table2.compared2("all", root)),
        ),
        (
            "After edits M_s turned round costs more than before",
            falls["knowledge"] - falls["before"],
            _of("knowledge", "before", table3.compared3(root)),
        ),
    )
    rows = [
        [
            escape(claim),
            fixed(paper, 1, signed=True),
            *(_shown(tested) if tested else (DASH, MISSING)),
        ]
        for claim, paper, tested in asked
    ]
    caption = (
        "Points of top-1, on two different sets; “no”: our runs do not tell it apart from luck"
    )
    head = ["The paper’s claim", "Paper, real videos", "Ours, synthetic videos", "Ours shows it?"]
    return table(caption, head, rows, text_columns=1)


def attends(root: Path = REPOSITORY) -> str:
    """ST-ABN beside the same network with its attention held constant."""
    runs = study(root)
    test = _of("st_abn", "control", comparisons(runs))
    if test is None:
        return MISSING
    ours, control = (
        mean_sd(100 * run.results["top1"] for run in runs if run.arm == arm).mean
        for arm in ("st_abn", "control")
    )
    return (
        f"ST-ABN answers {ours:.1f}% of the validation videos rightly. The same network with its "
        f"attention held constant answers {control:.1f}%. "
        f"The difference is {_told(test, 'points')}."
    )


def edits_reach_attention(root: Path = REPOSITORY) -> str:
    """M_t's agreement with the truth, taught by edits and not."""
    test = _of("knowledge", "control", table2.attended("own", root))
    if test is None:
        return MISSING
    done = table2.study(root)
    taught, control = _means({arm: table2.ATTENTION["own"].by_seed(done, arm) for arm in ARMS})
    return (
        f"On videos that nobody edited, its rank correlation with the truth is {taught:.2f} "
        f"after training with edits and {control:.2f} after the same training without them. The "
        f"difference is {_told(test, digits=2)}."
    )


def answers_follow(root: Path = REPOSITORY) -> str:
    """Accuracy on the plain set, over the edited classes and over all."""
    parts = {"modified": "Over the edited classes", "all": "Over all classes"}
    tests = {part: _of("knowledge", "control", table2.compared2(part, root)) for part in parts}
    if None in tests.values():
        return MISSING
    return " ".join(
        f"{words}, the edits change accuracy by {_told(tests[part], 'points')}."
        for part, words in parts.items()
    )


def sign_relied_on(root: Path = REPOSITORY) -> str:
    """The set with a known fault, the gate that closes: how much the misleading sign decides."""
    tested = fault.compared(WAY, fault.reliance, root)
    test, others = (_of("knowledge", other, tested) for other in ("control", "placebo"))
    if test is None or others is None or not fault.clean(root):
        return MISSING
    means = fault.means(WAY, fault.reliance, root)
    never = fixed(fault.clean_mean(fault.reliance, root), 0)
    return (
        f"In networks that are trained with the paper's fusion and fine-tuned with our gate that "
        f"closes, the sign decides {means['control']:.0f} points of accuracy without edits and "
        f"{means['knowledge']:.0f} with them; the difference is {_told(test, 'points')}. Other "
        f"videos' edits take away a part of it, too; against them the difference is "
        f"{_told(others, 'points')}. In a network "
        f"that never met the sign ({fault_tables.clean_in_words(root)}) it is {never}, for "
        f"a reason that we do not know; 0 is mended."
    )


def fault_mended(root: Path = REPOSITORY) -> str:
    """The same set and gate: what the answers gain, what they lose, how far that leads."""
    measures = {
        "swapped": SWAPPED,
        "aligned": ALIGNED,
        "absent": ABSENT,
        "worst": fault.worst,
    }
    tests = {
        name: _of("knowledge", "control", fault.compared(WAY, of, root))
        for name, of in measures.items()
    }
    if None in tests.values() or not fault.clean(root):
        return MISSING
    means = fault.means(WAY, SWAPPED, root)
    return (
        f"Where the sign misleads, accuracy is {means['control']:.1f}% without edits and "
        f"{means['knowledge']:.1f}% with them: {_told(tests['swapped'], 'points')}. A network that "
        f"never met the sign ({fault_tables.clean_in_words(root)}) reaches "
        f"{fault.clean_mean(SWAPPED, root):.1f}%. Where there is no sign, edits change "
        f"accuracy by {_told(tests['absent'], 'points')}. On the list that each network is worst "
        f"on, they change it by {_told(tests['worst'], 'points')}, to "
        f"{fault.means(WAY, fault.worst, root)['knowledge']:.1f}%. "
        f"**The price:** where the sign is right, "
        f"they change it by {_told(tests['aligned'], 'points')}, to "
        f"{fault.means(WAY, ALIGNED, root)['knowledge']:.1f}%; the network that never met the sign "
        f"has {fault.clean_mean(ALIGNED, root):.1f}% there."
    )


def fault_left(root: Path = REPOSITORY) -> str:
    """The same set without that gate: the paper's fusion, and the gated one."""
    told = {
        way: _of("knowledge", "control", fault.compared(way, fault.reliance, root))
        for way in ("paper", "gated")
    }
    if None in told.values():
        return MISSING
    return (
        f"With the paper's fusion alone, edits change what the sign decides by "
        f"{_told(told['paper'], 'points')}. With our gated fusion, whose gate never quite shuts, "
        f"by {_told(told['gated'], 'points')}."
    )


def inverted(root: Path = REPOSITORY) -> str:
    """What 1 − M_s costs, with edits and without."""
    test = _of("knowledge", "control", table3.compared3(root))
    if test is None:
        return MISSING
    done = table2.study(root)
    taught, control = _means({arm: table3.drops(done, arm) for arm in ARMS})
    return (
        f"On the plain set, M_s turned round costs {control:.1f} points in networks that were "
        f"trained on without edits, and {taught:.1f} with edits. Against the networks without "
        f"edits this is {_told(test, 'points')}. {fault_tables.inverted_in_words(root)}"
    )


def reliances_in_words(root: Path = REPOSITORY) -> str:
    """The same as a sentence: mean of each arm, and its least and greatest seed."""
    arms = [
        f"{SHORT[arm]} {mean_sd(of.values()).mean:.0f} "
        f"({min(of.values()):.0f} to {max(of.values()):.0f})"
        for arm, of in fault.by_seed(WAY, fault.reliance, root).items()
        if of
    ]
    return "Points that the sign decides, mean and range over seeds: " + (
        "; ".join(arms) or "no record"
    )


def _means(arms: Mapping[str, Mapping]) -> tuple[float, float]:
    """Means over seeds of knowledge and control."""
    return tuple(mean_sd(arms[arm].values()).mean for arm in ("knowledge", "control"))


def _of(a: str, b: str, tested: Sequence[Tested]) -> Tested | None:
    return next((one for one in tested if one[:2] == (a, b)), None)


def _shown(tested: Tested) -> tuple[str, str]:
    """A difference that is claimed to be above 0, and whether it is seen."""
    _, _, test, p = tested
    seen = "yes" if test.difference > 0 else "the opposite"
    verdict = seen if p < SIGNIFICANT else "no"
    difference = fixed(test.difference, 1, signed=True)
    return difference, f"{verdict} ({test.n} seeds, p {p_words(p)})"


def _told(tested: Tested, unit: str = "", digits: int = 1) -> str:
    """A difference ± sd over seeds, whether it is told from luck, and p after Holm's correction."""
    _, _, test, p = tested
    verdict = "significant" if p < SIGNIFICANT else "**not** told apart from luck"
    spread = f"{fixed(test.difference, digits, signed=True)} ± {fixed(test.sd, digits)}"
    difference = f"{spread} {unit}".rstrip()
    return f"{difference}, {verdict} ({test.n} seeds, p {p_words(p)})"
