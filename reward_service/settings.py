"""All settings of the service. Each is a keyword, a flag of `videossr serve`, and `VIDEOSSR_SERVE_…` in the environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .scoring.items import Mode


class Settings(BaseSettings):
    """Score rollouts over HTTP, for any RL trainer.

    examples:
      videossr serve --port 8000 --rollout-log rollouts.jsonl
      VIDEOSSR_SERVE_TOKENS=secret videossr serve --host 0.0.0.0
      curl localhost:8000/v1/score -d '{"items": [{"task": "counting", "ground_truth": "3,1,4", "response": "3,1,5"}]}'
    """

    model_config = SettingsConfigDict(
        env_prefix="VIDEOSSR_SERVE_",
        frozen=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_show_env_vars=True,
        cli_hide_none_type=True,
        cli_prog_name="videossr serve",
    )

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 for a free one")
    tokens: SecretStr = Field(SecretStr(""), description="bearer tokens, comma-separated; if empty, open to all")
    mode: Mode = Field("smooth", description="the score that `reward` holds, unless a request names another")
    imports: str = Field("", description="modules that register custom tasks, comma-separated")

    max_body_bytes: int = Field(8 << 20, ge=1024, description="largest request body in bytes")
    max_batch: int = Field(1024, ge=1, description="maximum items in a request")
    body_seconds: float = Field(30.0, gt=0, description="time limit for receiving a request's body")
    drain_seconds: int = Field(30, ge=1, description="how long running requests may take after SIGTERM")

    stats_groups: int = Field(20_000, ge=1, description="newest groups, which accept rollouts; older ones become sums")
    rollout_log: Path | None = Field(None, description="append scored rollouts to this file, for `videossr diagnose`")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="debug also logs every request")

    @field_validator("tokens")
    @classmethod
    def _check_tokens(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not _split_commas(value.get_secret_value()):
            raise ValueError("holds no token; leave it out to open the server to all")
        return value

    @property
    def bearer_tokens(self) -> tuple[bytes, ...]:
        """The accepted tokens; empty if the server is open to all."""
        return tuple(token.encode() for token in _split_commas(self.tokens.get_secret_value()))


def _split_commas(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
