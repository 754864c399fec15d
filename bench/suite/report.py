"""Results as Markdown: the tables that are printed, and bench/RESULTS.md."""

from .stats import figure, ratio

HEAD = """# Results

Written by `make bench`; [README.md](README.md) says what each job is and how to read this.
Ratios are medians of the ratios of each round, with the least and the most in brackets: only they
compare between machines.

![What each peer needs for the same job, as a multiple of fetchmill](results.svg)
"""


def number(value):
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 or value == 0 else f"{value:.3g}"


def spread_text(spread):
    if spread.least == spread.most:  # one round, or the reference itself
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)}–{number(spread.most)})"


def _row(cells):
    return "| " + " | ".join(cells) + " |"


def _table(heading, rows):
    return "\n".join([_row(heading), _row(["---"] * len(heading)), *map(_row, rows)])


def verdicts(job, result):
    """What was asked of our server: (what, goal, figure, whether it is met), one a goal."""
    ours = job.servers[0]
    for goal in job.goals:
        column = next(column for column in job.columns if column.metric == goal.metric)
        limit = f"{'≤' if goal.at_most else '≥'} {number(goal.limit)}"
        if goal.of_reference:
            reached = ratio(result["rounds"], ours, job.reference, goal.metric)
            what = f"{column.heading} ÷ {job.label(job.reference)}"
        else:
            reached = figure(result["rounds"], ours, goal.metric)
            what = column.heading
        if reached is not None:
            yield what, limit, spread_text(reached), goal.met_by(reached.median)


def job_section(job, result):
    rounds = result["rounds"]
    present = [name for name in job.servers if figure(rounds, name, job.judge)]
    order = sorted(
        present,
        key=lambda name: figure(rounds, name, job.judge).median,
        reverse=not job.lower_is_better,
    )
    heading = ["", *(column.heading for column in job.columns)]
    heading.append(f"{job.judge_name} ÷ {job.label(job.reference)}")
    rows = []
    for name in order:
        cells = [f"**{job.label(name)}**" if name == job.servers[0] else job.label(name)]
        for column in job.columns:
            found = figure(rounds, name, column.metric)
            cells.append(number(found.median / column.unit) if found else "")
        of_reference = ratio(rounds, name, job.reference, job.judge)
        cells.append(spread_text(of_reference) if of_reference else "")
        rows.append(cells)
    better = "less" if job.lower_is_better else "more"
    note = f"Judged by {job.judge_name}; {better} is better. {_how(result)}"
    return "\n\n".join([f"### {job.name}: {job.title}", job.question, _table(heading, rows), note])


def curve_section(curve, result):
    points = result["points"]
    names = [name for name in curve.servers if name in next(iter(points.values()))]
    if list(points) == [""]:  # not a curve: a row for each server
        heading = ["", *(column.heading for column in curve.columns)]
        rows = [[name, *_figures(curve, points[""][name])] for name in names]
    else:
        heading = [curve.x]
        heading += [f"{name}: {column.heading}" for name in names for column in curve.columns]
        rows = [
            [x, *(text for name in names for text in _figures(curve, by_server[name]))]
            for x, by_server in points.items()
        ]
    return "\n\n".join(
        [f"### {curve.title}", curve.question, _table(heading, rows), _how(result)]
    )


def _figures(curve, figures):
    return [number(figures[column.metric] / column.unit) for column in curve.columns]


def _how(result):
    rounds, seconds = result["rounds_wanted"], result["seconds"]
    return (
        f"Measured {result['measured']}: {rounds} round{'s' if rounds > 1 else ''}, {seconds} s of "
        f"load each; load average before: {result['load_before']:.2f}."
    )


def document(jobs, job_results, curves, curve_results):
    """All of RESULTS.md; what has not been measured is not in it."""
    parts = [HEAD.rstrip()]
    rows = [
        [job.name, what, reached, limit, "yes" if met else "**no**"]
        for job in jobs
        if job.name in job_results
        for what, limit, reached, met in verdicts(job, job_results[job.name])
    ]
    parts += ["## Goals", "What fetchmill reached of what it is meant to reach."]
    parts.append(_table(["job", "what", "fetchmill", "goal", "met"], rows))
    parts.append("## Jobs")
    parts += [job_section(job, job_results[job.name]) for job in jobs if job.name in job_results]
    if curve_results:
        parts += ["## Curves", "Medians; cost per unit should stay flat or fall."]
    parts += [
        curve_section(curve, curve_results[curve.name])
        for curve in curves
        if curve.name in curve_results
    ]
    parts += ["## Machine and versions", *_origins({**job_results, **curve_results})]
    return "\n\n".join(parts) + "\n"


def _origins(results):
    """One table for each machine and set of versions that results come from."""
    groups = {}
    for name, result in results.items():
        facts = tuple({**result["machine"], **result["versions"]}.items())
        groups.setdefault(facts, []).append(name)
    for facts, names in groups.items():
        if len(groups) > 1:
            yield ", ".join(names) + ":"
        yield _table(["", ""], map(list, facts))
