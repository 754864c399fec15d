"""bench/results.svg: for each job, what each peer needs, as a multiple of what fetchmill needs."""

import dataclasses
import math
from html import escape

from .stats import ratio

# Of the picture, and within a panel: names, bars, figures.
WIDTH, TOP, MARGIN, GAP = 980, 62, 16, 36
PANEL = (WIDTH - 2 * MARGIN - GAP) / 2
NAMES, FIGURES, ROW = 190, 62, 19
# What lies beyond is cut off there, and its figure tells.
LOW, HIGH = 0.2, 300
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .job { font-size: 13px; font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .back { fill: #ffffff }
  .worse { fill: #d9822b }
  .better { fill: #1f6feb }
  .line { stroke: #d1d9e0; stroke-width: 1 }
  .one { stroke: #1f2328; stroke-width: 1.5 }
  .spread { stroke: #1f2328; stroke-width: 1.5; opacity: .55 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1 }
    .back { fill: #0d1117 }
    .line { stroke: #30363d }
    .one, .spread { stroke: #e6edf3 }
  }
"""


@dataclasses.dataclass(frozen=True)
class Panel:
    """A job and its bars: (label, Spread) each."""

    job: object
    bars: list

    @property
    def height(self):
        return ROW * (len(self.bars) + 1) + 16


def bars(job, rounds):
    """What each peer needs: how many times our cost, or how many times its speed ours is."""
    ours = job.servers[0]
    for name in job.servers[1:]:
        needs = ratio(rounds, name, ours, job.judge)
        if needs is not None:
            needs = needs if job.lower_is_better else needs.inverse()
            yield job.label(name).replace("`", ""), needs


def svg(jobs, results):
    """The picture; None when no job with a peer has been measured."""
    measured = [job for job in jobs if job.name in results and job.has_peers]
    panels = [Panel(job, list(bars(job, results[job.name]["rounds"]))) for job in measured]
    panels = [panel for panel in panels if panel.bars]
    if not panels:
        return None
    columns = _columns(panels)
    height = TOP + max(sum(panel.height for panel in column) for column in columns)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="What peers need for the same jobs, as multiples of fetchmill">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>',
        _text(MARGIN, 26, "What each peer needs for the same job, × fetchmill", "title"),
        _text(
            MARGIN,
            44,
            "The line at 1 is fetchmill: orange needs more, blue less. Logarithmic; "
            "medians, and from least to most as a line.",
            "small",
        ),
    ]
    for left, column in zip((MARGIN, MARGIN + PANEL + GAP), columns):
        top = TOP
        for panel in column:
            parts += _drawn(panel, left, top)
            top += panel.height
    return "\n".join([*parts, "</svg>"]) + "\n"


def _columns(panels):
    """Two of about one height, in order."""
    half = sum(panel.height for panel in panels) / 2
    left, filled = [], 0
    for panel in panels:
        if filled + panel.height / 2 > half:
            break
        left.append(panel)
        filled += panel.height
    return left, panels[len(left) :]


def _drawn(panel, left, top):
    start, end = left + NAMES, left + PANEL - FIGURES

    def x(value):
        within = min(max(value, LOW), HIGH)
        return start + math.log(within / LOW) / math.log(HIGH / LOW) * (end - start)

    y = top + ROW
    yield _text(left, y, f"{panel.job.name}: {panel.job.title}", "job")
    yield _text(left + PANEL, y, panel.job.judge_name, "small", "end")
    bottom = y + ROW * len(panel.bars) + 4
    for value in (1, 10, 100):
        kind = "one" if value == 1 else "line"
        yield _line(kind, x(value), x(value), y + 5, bottom)
    for label, needs in panel.bars:
        y += ROW
        yield _text(start - 8, y, label, anchor="end")
        left_end, right_end = sorted((x(1), x(needs.median)))
        yield (
            f'<rect class="{"better" if needs.median < 1 else "worse"}" x="{left_end:.1f}" '
            f'y="{y - 10}" width="{max(right_end - left_end, 1):.1f}" height="12" rx="1.5"/>'
        )
        if needs.least < HIGH:
            yield _line("spread", x(needs.least), x(needs.most), y - 4, y - 4)
        yield _text(max(x(needs.most), x(1)) + 6, y, multiple(needs.median))


def _text(x, y, text, kind="", anchor="start"):
    kind = f' class="{kind}"' if kind else ""
    return f'<text{kind} x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(kind, x1, x2, y1, y2):
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1}" y2="{y2}"/>'


def multiple(value):
    if value >= 100:
        return f"{value:,.0f} ×"
    return f"{value:.1f} ×" if value >= 10 else f"{value:.2f} ×"
