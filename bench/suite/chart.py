"""bench/results.svg: for each job, what each peer needs, as a multiple of what fetchmill needs."""

import math
from html import escape

from .stats import ratio

WIDTH, LEFT, RIGHT, ROW, TOP = 880, 300, 90, 20, 64
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .job { font-weight: 600 }
  .small, .tick { font-size: 11px; fill: #59636e }
  .back { fill: #ffffff }
  .worse { fill: #d9822b }
  .better { fill: #1f6feb }
  .line { stroke: #d1d9e0; stroke-width: 1 }
  .one { stroke: #1f2328; stroke-width: 1.5 }
  .spread { stroke: #59636e; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small, .tick { fill: #9198a1 }
    .back { fill: #0d1117 }
    .line { stroke: #30363d }
    .one { stroke: #e6edf3 }
    .spread { stroke: #9198a1 }
  }
"""


def rows(job, rounds):
    """(label, Spread) of each peer: how many times our cost it has, or of our speed we have of it."""
    ours = job.servers[0]
    for name in job.servers[1:]:
        needs = ratio(rounds, name, ours, job.judge)
        if needs is not None:
            yield job.label(name).replace("`", ""), needs if job.lower_is_better else needs.inverse()


def svg(jobs, results):
    groups = [
        (job, list(rows(job, results[job.name]["rounds"])))
        for job in jobs
        if job.name in results and not job.reference.startswith("fetchmill")
    ]
    spreads = [needs for _, peers in groups for _, needs in peers]
    if not spreads:
        return None
    low = min(0.5, min(needs.least for needs in spreads))
    high = max(needs.most for needs in spreads)
    scale = (WIDTH - LEFT - RIGHT) / math.log10(high / low)

    def x(value):
        return LEFT + math.log10(value / low) * scale

    height = TOP + sum((len(peers) + 1) * ROW + 12 for _, peers in groups) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="What peers need for the same jobs, as multiples of fetchmill">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>',
        '<text class="title" x="16" y="26">What each peer needs for the same job, '
        "as a multiple of fetchmill</text>",
        '<text class="small" x="16" y="44">Logarithmic; 1 × is fetchmill. Medians of ratios within '
        "rounds, least and most as a line.</text>",
        *_axis(x, low, high, height),
    ]
    y = TOP
    for job, peers in groups:
        y += ROW
        # Names of what is judged are short enough to stand beside the title, over the bars.
        parts.append(
            f'<text x="16" y="{y}"><tspan class="job">{escape(job.name)}: {escape(job.title)}'
            f'</tspan><tspan class="small" dx="8">{escape(job.judge_name)}</tspan></text>'
        )
        for label, needs in peers:
            y += ROW
            parts += _bar(x, y, label, needs)
        y += 12
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axis(x, low, high, height):
    for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1):
        value = 10**power
        kind = "one" if value == 1 else "line"
        yield f'<line class="{kind}" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP + 4}" y2="{height - 8}"/>'
        yield (
            f'<text class="tick" x="{x(value):.1f}" y="{TOP - 2}" text-anchor="middle">'
            f"{value:,g} ×</text>"
        )


def _bar(x, y, label, needs):
    start, end = sorted((x(1), x(needs.median)))
    kind = "better" if needs.median < 1 else "worse"
    text_x = max(x(needs.most), x(1)) + 6
    middle = y - 4.5
    yield f'<text x="{LEFT - 12}" y="{y}" text-anchor="end">{escape(label)}</text>'
    yield (
        f'<rect class="{kind}" x="{start:.1f}" y="{y - 11}" width="{max(end - start, 1):.1f}" '
        f'height="13" rx="1.5"/>'
    )
    yield (
        f'<line class="spread" x1="{x(needs.least):.1f}" x2="{x(needs.most):.1f}" '
        f'y1="{middle}" y2="{middle}"/>'
    )
    yield f'<text x="{text_x:.1f}" y="{y}">{_multiple(needs.median)}</text>'


def _multiple(value):
    return f"{value:,.0f} ×" if value >= 100 else f"{value:.3g} ×" if value >= 10 else f"{value:.2f} ×"
