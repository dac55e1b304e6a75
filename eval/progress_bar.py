"""The progress bar of a run: rate, failures, running score, tokens."""

from __future__ import annotations

from tqdm import tqdm

from .runner import Progress


class ProgressBar:
    """Shows the progress of `runner.ask`; pass `update` as its `on_progress`."""

    def __init__(self, total: int, description: str | None = None) -> None:
        self._bar = tqdm(total=total, desc=description, unit=" questions", smoothing=0.1)

    def update(self, progress: Progress) -> None:
        tokens = f"{(progress.prompt_tokens + progress.completion_tokens) / 1e6:.1f}M"
        self._bar.set_postfix(failed=progress.failed, score=f"{100 * progress.score:.1f}", tokens=tokens, refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
