"""A question as part of a web page that needs no other file: its text, playable videos and contact sheet."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..questions.maker import Question
from .contact_sheet import captions, contact_sheet, encode_picture

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:1300px;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .9rem;border-bottom:1px solid #ddd;text-align:left}
article{border-top:2px solid #222;margin-top:2.5rem;padding-top:.5rem}img{max-width:100%}video{width:230px;margin:.2rem}
figure{display:inline-block;margin:0}figcaption{text-align:center;font-size:14px}
pre{white-space:pre-wrap;font:inherit;background:#f6f6f3;padding:.6rem .9rem}b{color:#b3341f}"""


def write_page(path: Path, title: str, body: str) -> None:
    """Write a page; `title` is text, `body` HTML."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    page = f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>{body}</body></html>'
    path.write_text(page, encoding="utf-8")


def article(question: Question, heading: str) -> str:
    """The question, hidden answer and all that belongs to it, as HTML."""
    chance = question.portion.task.chance(question.portion.params, question.clip.stats.frames)
    videos = [base64.b64encode(video.mp4()).decode() for video in question.videos]
    players = "".join(
        f'<figure><video controls loop muted preload="metadata" src="data:video/mp4;base64,{data}"></video>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, data in zip(captions(question.plan.question), videos, strict=True)
    )
    sheet = base64.b64encode(encode_picture(contact_sheet(question), ".jpg")).decode()
    return (
        f"<article><h2>{html.escape(heading)}</h2><pre>{html.escape(question.plan.question)}</pre>{players}"
        f"<details><summary>answer and edited frames</summary><p><b>{question.plan.answer}</b> &nbsp; the best blind answer is "
        f"{question.blind} and scores {chance.smooth:.2f} on average; from {html.escape(question.source.name)}</p>"
        f"<img src='data:image/jpeg;base64,{sheet}' alt='contact sheet'></details></article>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as HTML; cells are text, or HTML if they begin with a tag."""

    def cell(text: str) -> str:
        return text if text.startswith("<") else html.escape(text)

    body = "".join("<tr>" + "".join(f"<td>{cell(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{html.escape(text)}</th>' for text in head)}</tr>{body}</table>"
