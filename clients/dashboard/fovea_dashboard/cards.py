"""Small pieces of HTML: bars, chips, tables of facts. Every text that comes from elsewhere is escaped here."""

import re
from collections.abc import Sequence
from html import escape

import streamlit as st
from fovea_client import Classification, Segmentation, ServerTimings

Colour = tuple[int, int, int]
_SERVER = ((15, 118, 110), (45, 160, 140), (134, 200, 186))
_REST = (148, 163, 160)
_BLACK = (0, 0, 0)

STYLE = """<style>
[data-testid=stMainBlockContainer]{padding-top:2.6rem;padding-bottom:2.5rem;max-width:1500px}
[data-testid=stSidebarHeader]{height:2.2rem;min-height:0;margin:0;padding-bottom:0}
[data-testid=stColumn]>[data-testid=stVerticalBlock]>[data-testid=stElementContainer]:only-child:has(.fovea-card),
[data-testid=stElementContainer]:only-child>.stHtml:has(.fovea-card){height:100%}
.fovea-card{border:1px solid rgba(128,140,138,.28);border-radius:.7rem;padding:.95rem 1.1rem 1.05rem;height:100%}
.fovea-card h4{margin:0 0 .65rem;padding:0;font-size:.78rem;font-weight:600;letter-spacing:.05em;
 text-transform:uppercase;opacity:.62}
.fovea-bars{display:grid;grid-template-columns:auto minmax(3rem,1fr) auto;gap:.55rem .8rem;align-items:center;
 font-size:.9rem}
.fovea-bars b,.fovea-facts b{font-weight:600;font-variant-numeric:tabular-nums;text-align:right}
.fovea-track{background:rgba(128,140,138,.18);border-radius:99px;height:.5rem;overflow:hidden}
.fovea-track i{display:block;height:100%;border-radius:99px;min-width:2px}
.fovea-stack{display:flex;gap:2px;height:.8rem;border-radius:99px;overflow:hidden;margin:.15rem 0 .7rem}
.fovea-stack i{display:block;min-width:2px}
.fovea-dot{display:inline-block;width:.7rem;height:.7rem;border-radius:.2rem;margin-right:.45rem;
 box-shadow:inset 0 0 0 1px rgba(128,140,138,.5)}
.fovea-facts{display:grid;grid-template-columns:auto 1fr;gap:.3rem .9rem;font-size:.9rem;margin:0}
.fovea-facts span span{opacity:.68}.fovea-facts b{overflow-wrap:anywhere}
.fovea-big{font-size:1.9rem;font-weight:650;line-height:1.15;letter-spacing:-.01em;margin:0}
.fovea-under{opacity:.68;font-size:.92rem;margin:.15rem 0 0}
.fovea-chip{display:inline-block;border-radius:99px;padding:.1rem .65rem;font-size:.82rem;font-weight:600}
.fovea-scale{display:flex;justify-content:space-between;font-size:.75rem;opacity:.7;margin-top:.15rem}
</style>"""

_TONES = {"good": "#0f766e", "bad": "#b42318", "calm": "#64748b"}


def headline(text: str, under: str) -> None:
    """The page's one large line, and a small one under it."""
    st.html(f'<p class="fovea-big">{escape(text)}</p><p class="fovea-under">{escape(under)}</p>')


def error(text: str) -> None:
    """A red box that says it. No link or image in it is one: the browser would fetch it from another host."""
    st.error(re.sub(r"([\\\[\]])", r"\\\1", text))


def chip(text: str, tone: str) -> str:
    """A rounded label; tones are good, bad and calm."""
    colour = _TONES[tone]
    # Mixed with the theme's own text colour it reads on light and on dark.
    style = f"color:color-mix(in srgb,{colour} 65%,currentColor);background:{colour}2b"
    return f'<span class="fovea-chip" style="{style}">{escape(text)}</span>'


def card(title: str, inside: str) -> None:
    """A framed card around HTML that the functions below made."""
    st.html(f'<div class="fovea-card"><h4>{escape(title)}</h4>{inside}</div>')


def bars(rows: Sequence[tuple[str, float, Colour]]) -> str:
    """One bar a row: name, share from 0 to 1, colour."""
    inside = "".join(
        f"<span>{_dot(colour)}{escape(_spoken(name))}</span>"
        f'<span class="fovea-track"><i style="width:{share:.2%};background:{_css(colour)}"></i></span>'
        f"<b>{percent(share)}</b>"
        for name, share, colour in rows
    )
    return f'<div class="fovea-bars">{inside}</div>'


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns; rows without a value are left out."""
    inside = "".join(f"<span><span>{escape(name)}</span></span><b>{escape(value)}</b>" for name, value in rows if value)
    return f'<div class="fovea-facts">{inside}</div>'


def latency(answer: Segmentation | Classification) -> str:
    """The client's time in its parts: what the server says of its steps, and what is left for the way and the queue."""
    parts = latency_parts(answer.elapsed_ms, answer.server)
    colours = (*_SERVER, _REST) if answer.server else (_REST,)
    total_ms = max(answer.elapsed_ms, 1e-9)
    stack = "".join(
        f'<i style="width:{time_ms / total_ms:.2%};background:{_css(colour)}"></i>'
        for (_, time_ms), colour in zip(parts, colours, strict=True)
    )
    rows = "".join(
        f"<span>{_dot(colour)}<span>{escape(name)}</span></span><b>{time_ms:.1f} ms</b>"
        for (name, time_ms), colour in zip(parts, colours, strict=True)
    )
    return (
        f'<p class="fovea-big" style="font-size:1.5rem;margin-bottom:.5rem">{answer.elapsed_ms:.0f} ms</p>'
        f'<div class="fovea-stack">{stack}</div><div class="fovea-facts">{rows}</div>'
    )


def latency_parts(elapsed_ms: float, server: ServerTimings | None) -> list[tuple[str, float]]:
    """Milliseconds by part; they add up to what the client waited."""
    if server is None:
        return [("Whole call (the server names no parts)", elapsed_ms)]
    parts = [
        ("Decode and fit", server.preprocess_ms),
        ("Network and its queue", server.network_ms),
        ("Bring back to size", server.postprocess_ms),
    ]
    return [*parts, ("On the way", max(0.0, elapsed_ms - sum(time_ms for _, time_ms in parts)))]


def percent(share: float) -> str:
    """A share from 0 to 1 as the page writes it: small ones keep their digits."""
    return f"{share:.1%}" if share >= 0.001 or share == 0 else "< 0.1%"


def name_of(text: str) -> str:
    """A task's or class's name as a heading: `eye_disease` becomes Eye disease."""
    spoken = _spoken(text)
    return spoken[:1].upper() + spoken[1:]


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _dot(colour: Colour) -> str:
    return f'<i class="fovea-dot" style="background:{_css(colour)}"></i>'


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def legend(rows: Sequence[tuple[str, Colour]]) -> str:
    """What colours mean, one a line."""
    return "".join(f'<div style="font-size:.85rem">{_dot(colour)}{escape(name)}</div>' for name, colour in rows)
