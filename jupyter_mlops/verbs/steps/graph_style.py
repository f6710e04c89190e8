"""The colours of a drawn pipeline, in either theme: a state is told by a word and a mark as well."""

from __future__ import annotations

from jupyter_mlops.domain.status import StepState

MARKS = {
    StepState.FRESH: "✓",
    StepState.STALE: "≠",
    StepState.RUNNING: "▸",
    StepState.FAILED: "✕",
    StepState.CANCELED: "◌",
    StepState.NEVER_RUN: "○",
    StepState.COMPLETED: "✓",
    StepState.REUSED: "✓",
}
_LIGHT = {
    "page": "#ffffff",
    "text": "#1b1f24",
    "quiet": "#57606a",
    "line": "#8c96a1",
    "fresh": "#1a7337",
    "fresh-fill": "#e9f6ed",
    "stale": "#8a5300",
    "stale-fill": "#fff4d6",
    "running": "#0a5fc2",
    "running-fill": "#e5f1ff",
    "failed": "#b8202c",
    "failed-fill": "#ffebe9",
    "never": "#57606a",
    "never-fill": "#f6f8fa",
}
_DARK = {
    "page": "#14171c",
    "text": "#eceff3",
    "quiet": "#a3adba",
    "line": "#6f7a88",
    "fresh": "#5dd07f",
    "fresh-fill": "#15291c",
    "stale": "#e8b84a",
    "stale-fill": "#2e2511",
    "running": "#77b7ff",
    "running-fill": "#13263d",
    "failed": "#ff8f87",
    "failed-fill": "#361a1c",
    "never": "#a3adba",
    "never-fill": "#1d2229",
}
_OF_LAB = {"page": "--jp-layout-color1", "text": "--jp-ui-font-color1", "quiet": "--jp-ui-font-color2"}
"""Where the picture stands in JupyterLab's page, these are the theme's own."""
_STATES = {
    "fresh": "fresh",
    "stale": "stale",
    "running": "running",
    "failed": "failed",
    "canceled": "never",
    "never_run": "never",
    "completed": "fresh",
    "reused": "fresh",
}
_FACE = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"


def style(theme: str) -> str:
    """The style sheet. A fixed theme has its colours written out, so that programs that know no variables draw it too."""
    if theme == "light":
        return _rules(_LIGHT, name_of(theme))
    if theme == "dark":
        return _rules(_DARK, name_of(theme))
    rules = _rules({name: _variable(name) for name in _LIGHT}, name_of(theme))
    light, dark = _variables(_LIGHT), _variables(_DARK)
    return "".join(
        (
            f".jp-mlops-graph{{{light}}}",
            f"@media (prefers-color-scheme:dark){{.jp-mlops-graph{{{dark}}}}}",
            f'[data-jp-theme-light="true"] .jp-mlops-graph{{{light}}}',
            f'[data-jp-theme-light="false"] .jp-mlops-graph{{{dark}}}',
            rules,
        )
    )


def name_of(theme: str) -> str:
    """The class of a picture: pictures of several themes may stand on one page."""
    return "jp-mlops-graph" + ("" if theme == "auto" else f"-{theme}")


def _variable(name: str) -> str:
    own = f"var(--mlops-{name})"
    return f"var({_OF_LAB[name]},{own})" if name in _OF_LAB else own


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--mlops-{name}:{colour};" for name, colour in colours.items())


def _rules(colours: dict[str, str], name: str) -> str:
    of = f".{name}"
    states = "".join(
        f"{of} .{state} rect{{fill:{colours[f'{name}-fill']};stroke:{colours[name]}}}"
        f"{of} .{state} .state{{fill:{colours[name]}}}"
        for state, name in _STATES.items()
    )
    return "".join(
        (
            f"{of}{{max-width:100%;height:auto;font-family:{_FACE}}}",
            f"{of} text{{fill:{colours['quiet']};font-size:11px}}",
            f"{of} .page{{fill:{colours['page']}}}",
            f"{of} .title{{fill:{colours['text']};font-size:13px;font-weight:600}}",
            f"{of} .name{{fill:{colours['text']};font-size:13px;font-weight:600}}",
            f"{of} .unnamed .name{{font-weight:400}}",
            f"{of} .state{{font-weight:600}}",
            f"{of} .kind{{font-style:italic}}",
            f"{of} .step rect{{stroke-width:1.2}}",
            states,
            f"{of} .never_run rect{{stroke-dasharray:4 3}}",
            f"{of} .failed rect,{of} .running rect{{stroke-width:2}}",
            f"{of} .line{{fill:none;stroke:{colours['line']};stroke-width:1.3}}",
            f"{of} .near{{fill:none;stroke:transparent;stroke-width:9;pointer-events:stroke}}",
            f"{of} .head{{fill:{colours['line']}}}",
            f"{of} .seen .line{{stroke-dasharray:5 3}}",
            f"{of} .link:hover .line{{stroke:{colours['text']};stroke-width:2.2}}",
            f"{of} .label{{text-anchor:middle;fill:{colours['text']};paint-order:stroke;stroke:{colours['page']};"
            "stroke-width:4px;stroke-linejoin:round}",
        )
    )
