"""Every protocol, by its own example: the same suite for all of them. What each trainer's real client does with them is in
test_real_clients.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

from reward_service.completion import extract_text
from reward_service.protocols import protocols
from reward_service.protocols.base import Protocol
from reward_service.protocols.openrlhf import extract_response
from tests.servers import Server

SMOOTH, STRICT = 1 - 1 / 12, 2 / 3
ALL = [pytest.param(protocol, id=protocol.name) for protocol in protocols()]


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield float(value)
    elif isinstance(value, dict):
        for part in value.values():
            yield from numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from numbers(part)


def holds(reply: Any, value: float) -> bool:
    return pytest.approx(value, abs=1e-5) in list(numbers(reply))


def replaced(protocol: Protocol, old: str, new: str) -> Any:
    text = json.dumps(protocol.example)
    assert old in text, f"the example of {protocol.name} should hold {old}"
    return json.loads(text.replace(old, new))


def paths(protocol: Protocol) -> list[str]:
    return [path.replace("{task}", "counting") for path in (protocol.path, *protocol.aliases)]


@pytest.mark.parametrize("protocol", ALL)
def test_its_example_is_scored_on_all_its_paths(server: Server, protocol: Protocol) -> None:
    for path in paths(protocol):
        reply = server.post(path, protocol.example)
        assert reply.status_code == 200, reply.text
        assert holds(reply.json(), SMOOTH)


@pytest.mark.parametrize("protocol", ALL)
def test_the_url_names_task_and_mode(server: Server, protocol: Protocol) -> None:
    unnamed = replaced(protocol, "counting", "")
    tasked = next((path for path in paths(protocol) if path.split("/")[-2] == "counting"), f"{protocol.path}/counting")
    reply = server.post(f"{tasked}?mode=strict", unnamed)
    assert reply.status_code == 200, reply.text
    assert holds(reply.json(), STRICT)
    assert reply.json() != server.post(tasked, unnamed).json()


@pytest.mark.parametrize("protocol", ALL)
def test_faults_are_no_scores(server: Server, protocol: Protocol) -> None:
    for old, new, kind, message in (
        ("counting", "countin", "unknown_task", "did you mean 'counting'"),
        ("counting", "", "unknown_task", "task or data_source is missing"),
        ("3,1,4", "3,1", "bad_truth", "3 wanted"),
        ("ground_truth", "groundtruth", "invalid_item", "ground"),
    ):
        reply = server.post(protocol.path, replaced(protocol, old, new))
        assert reply.status_code == 422, reply.text
        assert reply.json()["error"]["type"] == kind
        assert message in reply.json()["error"]["message"]


@pytest.mark.parametrize("protocol", ALL)
def test_an_unparseable_response_is_a_zero(server: Server, protocol: Protocol) -> None:
    reply = server.post(protocol.path, replaced(protocol, "<answer>3,1,5</answer>", "I cannot tell"))
    assert reply.status_code == 200, reply.text
    assert holds(reply.json(), 0.0)
    assert not holds(reply.json(), SMOOTH)


@pytest.mark.parametrize("protocol", ALL)
def test_bodies_of_other_formats_are_refused(server: Server, protocol: Protocol) -> None:
    for body in (3, "text", [], {}, [1], {"query": 3, "items": 3, "response": 3}):
        reply = server.post(protocol.path, body)
        if reply.status_code == 200:  # a list format's empty list, OpenRLHF's empty batch
            assert not list(numbers(reply.json())), reply.text
        else:
            assert reply.status_code == 422


def test_labels_are_plain_or_json_or_rows(server: Server) -> None:
    row = {
        "data_source": "videossr/counting",
        "reward_model": {"style": "rule", "ground_truth": "3,1,4"},
        "extra_info": {"level": 0.3},
    }
    for path, label in (
        ("/slime/counting", "3,1,4"),
        ("/slime/jigsaw", "341562"),
        ("/slime/jigsaw", 341562),
        ("/slime", row),
        ("/slime", json.dumps(row)),
        ("/slime/counting", {"ground_truth": "3,1,4"}),
        ("/slime", {**row, "reward_model": json.dumps(row["reward_model"])}),
    ):
        answer = "341562" if "jigsaw" in path else "3,1,4"
        reply = server.post(
            path, {"prompt": [{"role": "user", "content": "?"}], "response": f"<answer>{answer}</answer>", "label": label}
        )
        assert reply.json() == 1.0, reply.text


def test_slime_with_a_reward_key_gets_an_object(server: Server) -> None:
    reply = server.post("/slime/counting?reply=object", {"response": "3,1,4", "label": "3,1,4"}).json()
    assert (reply["reward"], reply["exact"]) == (1, 1)
    refused = server.post("/slime/counting?reply=objct", {"response": "3,1,4", "label": "3,1,4"})
    assert refused.status_code == 422
    assert "number, object" in refused.text


def test_nemo_gym_echoes_the_request(server: Server) -> None:
    [protocol] = [protocol for protocol in protocols() if protocol.name == "nemo-gym"]
    sent = {**protocol.example, "my_column": {"a": [1, 2]}, "_ng_task_index": 3, "_ng_rollout_index": 1}
    for path in ("/verify", "/ng-rollout/3-1/verify", "/ng-rollout/3-1/nemo-gym/counting/verify"):
        reply = server.post(path, sent).json()
        assert {key: reply[key] for key in sent} == sent
        assert reply["reward"] == pytest.approx(SMOOTH, abs=1e-5)
    assert server.post("/ng-rollout/3-1/seed_session", {}).json() == {}
    silent = {**sent, "response": {"output": [{"type": "function_call", "name": "zoom", "arguments": "{}"}]}}
    assert server.post("/verify", silent).json()["unparseable"] == 1


def test_nemo_gym_aggregates(server: Server) -> None:
    rows = [{"_ng_task_index": k // 2, "reward": k / 4, "exact": 0} for k in range(4)]
    reply = server.post("/aggregate_metrics", {"verify_responses": rows}).json()
    assert reply["key_metrics"]["mean/reward"] == pytest.approx(0.375)
    assert [group["mean/reward"] for group in reply["group_level_metrics"]] == [0.125, 0.625]


PROMPT = "<|im_start|>user\n<|vision_start|><|video_pad|><|vision_end|>How many?<|im_end|>\n<|im_start|>assistant\n"
PADDED = PROMPT.replace("<|video_pad|>", "<|video_pad|>" * 500)


@pytest.mark.parametrize(
    ("query", "response"),
    [
        (PROMPT + "3,1,5<|im_end|>", "3,1,5<|im_end|>"),
        (PADDED + "3,1,5", "3,1,5"),
        (PADDED + f"you said {PROMPT}<answer>3,1,5</answer>", f"you said {PROMPT}<answer>3,1,5</answer>"),
        (PADDED, ""),
    ],
)
def test_openrlhf_responses_are_found_behind_padded_prompts(query: str, response: str) -> None:
    assert extract_response(query, PROMPT) == response


@pytest.mark.parametrize(("response", "reward"), [("3,1,4", 0), ("3,1,5</think>3,1,4", 1), ("<answer>3,1,4</answer>", 0)])
def test_a_thought_that_the_prompt_opens_must_be_closed(server: Server, response: str, reward: float) -> None:
    prompt = "How many?<|im_end|>\n<|im_start|>assistant\n<think>\n"
    body = {"query": [prompt + response], "prompts": [prompt], "labels": ["3,1,4"]}
    assert server.post("/openrlhf/counting", body).json()["rewards"] == [reward]
    assert server.post("/slime/counting", {"prompt": prompt, "response": response, "label": "3,1,4"}).json() == reward


def test_openrlhf_prompts_may_show_an_answer(server: Server) -> None:
    """The question's own example, 2,5,1, is not the model's answer."""
    prompt = PROMPT.replace("How many?", "How many? For example <answer>2,5,1</answer>.")
    query = prompt.replace("<|video_pad|>", "<|video_pad|>" * 9)
    body = {
        "query": [query + "<answer>3,1,4</answer><|im_end|>", query + "none<|im_end|>"],
        "prompts": [prompt] * 2,
        "labels": ["3,1,4"] * 2,
    }
    reply = server.post("/openrlhf/counting", body).json()
    assert reply["rewards"] == reply["scores"] == [1, 0]
    assert reply["extra_logs"]["unparseable"] == [0, 1]


EXAMPLE = {"role": "user", "content": "For example <answer>3,1,4</answer>"}
TURNS = [EXAMPLE, {"role": "assistant", "content": "I will look."}, EXAMPLE]
UNKNOWN_PARTS = [{"type": "text_x", "output": "3,1,4"}]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/eval-protocol/counting", {"messages": TURNS, "ground_truth": "3,1,4"}, "'user'; send one of assistant"),
        ("/eval-protocol/counting", {"messages": [], "ground_truth": "3,1,4"}, "messages"),
        ("/nemo-gym/counting/verify", {"responses_create_params": {}, "ground_truth": "3,1,4", "response": {"output": [{"type": "message", "content": UNKNOWN_PARTS}]}}, "no part"),
        ("/openrlhf/counting", {"query": ["For example <answer>3,1,4</answer>. ?"], "labels": ["3,1,4"]}, "0 prompts"),
        ("/openrlhf/counting", {"query": ["Q?  A: 3,1,4"], "prompts": ["Q? A:"], "labels": ["3,1,4"]}, "not in the query"),
    ],
)  # fmt: skip
def test_a_request_that_holds_no_response_is_no_zero(server: Server, path: str, body: Any, message: str) -> None:
    reply = server.post(path, body)
    assert reply.status_code == 422, reply.text
    assert message in reply.json()["error"]["message"]


def test_thoughts_and_other_peoples_messages_are_no_answers(server: Server) -> None:
    parts = [{"type": "thinking", "text": "maybe <answer>9,9,9</answer>"}, {"type": "text", "text": "3,1,4"}]
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": parts}]
    assert server.post("/eval-protocol/counting", {"messages": chat, "ground_truth": "3,1,4"}).json()["score"] == 1
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "3,1,4"}]}
    for outputs, reward in (
        ([said, {"type": "message", "role": "user", "content": "no: 9,9,9"}], 1),
        ([{"type": "message", "role": "user", "content": "3,1,4"}], 0),
        ([{"type": "message", "role": "assistant", "content": []}], 0),
        ([{"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "3,1,4"}]}], 0),
    ):
        row = {"responses_create_params": {}, "ground_truth": "3,1,4", "response": {"output": outputs}}
        assert server.post("/nemo-gym/counting/verify", row).json()["reward"] == reward


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("3,1,4", "3,1,4"),
        ("", ""),
        ({"role": "assistant", "content": None, "tool_calls": [{}]}, ""),
        ({"role": "assistant", "tool_calls": [{}]}, ""),
        ({"role": "model", "content": [{"thought": True, "text": "9"}, {"text": "3,"}, {"text": "1"}]}, "3,1"),
        ([{"role": "user", "content": "?"}, {"role": "assistant", "content": [{"text": "3"}, {"type": "tool_use"}]}], "3"),
        ([{"type": "reasoning", "text": "9"}, {"type": "output_text", "text": "3"}], "3"),
        ([{"type": "text", "text": None}], ""),
    ],
)
def test_the_models_own_words_are_found(completion: Any, text: str) -> None:
    assert extract_text(completion) == text


def test_openenv_over_plain_http(server: Server) -> None:
    assert server.post("/openenv/counting/reset", {"prompt": "How many?"}).json()["observation"]["prompt"] == "How many?"
    reply = server.post("/openenv/counting/step", {"action": {"response": "3,1,5", "ground_truth": "3,1,4"}}).json()
    assert (reply["reward"], reply["done"]) == (pytest.approx(SMOOTH, abs=1e-5), True)
    assert server.get("/health").json() == {"status": "healthy"}


GOLDEN = [
    # as the vendors' documents show them
    ("/slime/counting", {"prompt": [{"role": "user", "content": "How many?"}], "response": "<answer>3,1,5</answer>", "label": "3,1,4"}, SMOOTH),
    ("/miles", {"prompt": "How many?", "response": "3,1,5", "label": '{"task": "counting", "ground_truth": "3,1,4"}'}, SMOOTH),
    ("/openrlhf", {"query": [], "prompts": [], "labels": []}, {"rewards": [], "scores": [], "extra_logs": {"exact": [], "above_chance": [], "unparseable": []}}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "request_body", "wanted"), GOLDEN)
def test_golden_requests(server: Server, path: str, request_body: Any, wanted: Any) -> None:
    reply = server.post(path, request_body)
    assert reply.status_code == 200, reply.text
    assert close(reply.json(), wanted)


def close(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(close(found[key], value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(close, found, wanted))
    return bool(found == (pytest.approx(wanted, abs=1e-5) if isinstance(wanted, float) else wanted))


def test_openenv_sessions_have_modes(server: Server) -> None:
    async def step(query: str) -> Any:
        async with connect(server.url.replace("http", "ws") + f"/openenv/counting/ws{query}") as socket:
            await socket.send('{"type": "step", "data": {"response": "3,1,5", "ground_truth": "3,1,4"}}')
            return json.loads(await socket.recv())["data"]["reward"]

    assert asyncio.run(step("?mode=strict")) == pytest.approx(STRICT)
    assert asyncio.run(step("")) == pytest.approx(SMOOTH)
    with pytest.raises(InvalidStatus):
        asyncio.run(step("?mode=best"))


def test_openenv_messages_that_are_none(server: Server) -> None:
    async def talk() -> list[Any]:
        found = []
        async with connect(server.url.replace("http", "ws") + "/openenv/counting/ws") as socket:
            for message in (
                "{",
                b"\xff\xfe",
                "[]",
                '{"type": "dance"}',
                '{"type": "step", "data": {}}',
                "[" * 100_000,
                '{"type": "state"}',
            ):
                await socket.send(message)
                reply = json.loads(await socket.recv())
                found.append(reply["data"].get("code", reply["type"]))
            await socket.send('{"type": "close"}')
            with pytest.raises(ConnectionClosedOK):
                await socket.recv()
        return found

    kinds = asyncio.run(talk())
    assert kinds == [
        "INVALID_JSON",
        "INVALID_JSON",
        "VALIDATION_ERROR",
        "UNKNOWN_TYPE",
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
        "state",
    ]
