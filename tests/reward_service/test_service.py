"""The native API of a real service."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dataset_builder import tasks
from tests.servers import Server

GOOD = {"task": "counting", "ground_truth": "3,1,4", "response": "3,1,5"}


def score(server: Server, *items: Any, **request: Any) -> Any:
    reply = server.post("/v1/score", {"items": list(items), **request})
    assert reply.status_code == 200, reply.text
    return reply.json()["results"]


def test_the_documented_example(server: Server) -> None:
    [result] = score(server, GOOD)
    assert result == {
        "reward": pytest.approx(0.917, abs=1e-3),
        "score": pytest.approx(0.917, abs=1e-3),
        "exact": pytest.approx(0.667, abs=1e-3),
        "above_chance": pytest.approx(0.81, abs=1e-2),
        "parsed": "3,1,5",
        "reason": "2 of 3 counts right",
        "task": "counting",
    }


def test_curl_without_a_content_type(server: Server) -> None:
    reply = httpx.post(server.url + "/v1/score", content=json.dumps({"items": [GOOD]}), headers={"content-type": "application/x-www-form-urlencoded"})  # fmt: skip
    assert reply.status_code == 200


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_scores_as_in_process(server: Server, name: str) -> None:
    task = tasks.get(name)
    blind = task.chance(task.params("medium"), 48).blind
    gold, truth = blind.format(), blind.ground_truth()
    answers = [gold, f"<answer>{gold}</answer>", "no idea", "", "<answer>1</answer>", "１,２,３"]
    results = score(
        server, *({"data_source": f"videossr/{name}", "ground_truth": truth, "response": answer} for answer in answers)
    )
    for answer, result in zip(answers, results, strict=True):
        assert result == {"reward": result["score"], **task.score(answer, truth).to_dict()}


def test_order_and_ids_are_kept(server: Server) -> None:
    items = [{**GOOD, "response": f"{k},1,4", "id": f"n{k}"} for k in range(300)]
    results = score(server, *items)
    assert [(result["id"], result["parsed"]) for result in results] == [(f"n{k}", f"{k},1,4") for k in range(300)]


def test_an_item_that_is_wrong_does_not_sink_the_batch(server: Server) -> None:
    wrong = [
        ({**GOOD, "task": "countin"}, "unknown_task", "did you mean 'counting'"),
        ({**GOOD, "ground_truth": "3,1"}, "bad_truth", "2 counts, 3 wanted"),
        ({"task": "counting", "ground_truth": "3,1,4"}, "invalid_item", "response"),
        ({**GOOD, "response": 5}, "invalid_item", "$.response"),
        ({**GOOD, "extra_info": {"chance": 7}}, "invalid_item", "chance"),
        ({"ground_truth": "1", "response": "1"}, "unknown_task", "task or data_source is missing"),
        ("text", "invalid_item", "object"),
        (None, "invalid_item", "object"),
    ]
    for item, kind, message in wrong:
        first, fault, last = score(server, GOOD, item, GOOD)
        assert first["score"] == last["score"] == pytest.approx(0.917, abs=1e-3)
        assert "score" not in fault
        assert fault["error"]["type"] == kind
        assert message in fault["error"]["message"]


def test_a_request_without_a_good_item_is_refused(server: Server) -> None:
    reply = server.post("/v1/score", {"items": [{**GOOD, "task": "jigsw"}, {**GOOD, "ground_truth": ""}]})
    assert reply.status_code == 422
    body = reply.json()
    assert [error["type"] for error in body["errors"]] == ["unknown_task", "bad_truth"]
    assert "did you mean 'jigsaw'" in body["error"]["message"]


def test_modes(server: Server) -> None:
    for mode, key in (("strict", "exact"), ("above_chance", "above_chance")):
        [result] = score(server, GOOD, mode=mode)
        assert result["reward"] == result[key] != result["score"]
        assert server.post(f"/v1/score?mode={mode}", {"items": [GOOD]}).json()["results"] == [result]
    assert server.post("/v1/score", {"items": [GOOD], "mode": "best"}).status_code == 422
    assert "smooth, strict, above_chance" in server.post("/v1/score?mode=best", {"items": [GOOD]}).text


def test_the_rows_chance_floor_counts(server: Server) -> None:
    [result] = score(server, {**GOOD, "extra_info": {"chance": 0.9, "recipe": {"any": "thing"}, "level": None}})
    assert result["above_chance"] == pytest.approx((result["score"] - 0.9) / 0.1)


def test_an_empty_batch(server: Server) -> None:
    assert score(server) == []


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "empty"),
        (b"{", 400, "not valid JSON"),
        (b'{"items": [' + b"[" * 100_000, 400, "not valid JSON"),
        (b'{"items": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "not valid JSON"),
        (b"\xff\xfe", 400, "not valid JSON"),
        (b"[]", 422, "object"),
        (b'{"items": 3}', 422, "items"),
        (b'{"item": []}', 422, "items"),
        (b"9" * 10_000, 422, "out of range"),
    ],
)
def test_bodies_that_are_no_request(server: Server, body: bytes, status: int, message: str) -> None:
    reply = httpx.post(server.url + "/v1/score", content=body)
    assert reply.status_code == status, reply.text
    assert message in reply.json()["error"]["message"]


def test_what_pythons_json_writes_is_read(server: Server) -> None:
    """NaN, and text cut within an emoji, as trainers that use the json module send them."""
    body = '{"items": [{"task": "counting", "ground_truth": "3,1,4", "response": "\\ud83d 3,1,4", "id": "\\ud83d"}, '
    body += '{"task": "counting", "ground_truth": "3,1,4", "response": "<answer>3,1,4</answer>", "extra_info": {"x": NaN}}]}'
    reply = httpx.post(server.url + "/v1/score", content=body)
    assert reply.status_code == 200
    assert [result["score"] for result in json.loads(reply.text)["results"]] == [0, 1]


def test_methods_and_paths(server: Server) -> None:
    assert server.get("/v1/score").status_code == 405
    assert server.get("/v1/score").headers["allow"] == "POST"
    assert server.get("/nothing").json()["error"]["type"] == "http"
    for encoding, status in (("gzip", 415), ("GZIP", 415), ("Identity", 200)):
        reply = httpx.post(server.url + "/v1/score", content=b'{"items": []}', headers={"content-encoding": encoding})
        assert reply.status_code == status


def test_a_megabyte_is_scored(server: Server) -> None:
    text = "I look at the frames. " * 45_000
    [result] = score(server, {**GOOD, "response": text + "<answer>3,1,4</answer>" + text})
    assert result["score"] == 1


def test_many_at_once(server: Server) -> None:
    def one(k: int) -> float:
        [result] = score(server, {**GOOD, "response": f"3,1,{k % 9}"})
        value: float = result["score"]
        return value

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(one, range(256))) == [
            tasks.get("counting").score(f"3,1,{k % 9}", "3,1,4").score for k in range(256)
        ]


def test_listing_and_health(server: Server) -> None:
    assert server.get("/v1/tasks").json().keys() == set(tasks.names())
    assert server.get("/healthz").status_code == server.get("/readyz").status_code == 200
    assert "VideoSSR rewards" in server.get("/").text


def test_behind_a_prefix() -> None:
    """As Ray Serve with a route prefix, or a mount, runs it."""
    from reward_service.http.app import create_app

    app = create_app()

    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app, root_path="/rewards"), base_url="http://x") as client:
            return await client.post("/rewards/slime/counting", json={"response": "3,1,4", "label": "3,1,4"})

    assert asyncio.run(post()).json() == 1


def test_tokens_behind_a_prefix() -> None:
    from starlette.testclient import TestClient

    from reward_service.http.app import create_app
    from reward_service.settings import Settings

    header = {"authorization": "Bearer secret"}
    with TestClient(create_app(Settings(tokens="secret")), root_path="/rewards") as client:  # type: ignore[arg-type]
        for prefix in ("", "/rewards"):
            assert [client.get(prefix + path).status_code for path in ("/healthz", "/docs", "/v1/tasks")] == [200, 200, 401]
        row = {"responses_create_params": {}, "ground_truth": "3,1,4", "response": {"output": []}}
        reply = client.post("/rewards/ng-rollout/1/nemo-gym/counting/verify", json=row, headers=header)
        assert reply.status_code == 200


def test_an_application_may_be_started_again() -> None:
    from starlette.testclient import TestClient

    from reward_service.http.app import create_app

    app = create_app()
    for number in (1, 2):
        with TestClient(app) as client:
            assert client.post("/v1/score", json={"items": [{**GOOD, "group": 1}]}).status_code == 200
            assert client.get("/v1/stats").json()["runs"][""]["counting"]["unknown"]["rollouts"] == number


def test_two_names_of_a_task_must_be_one(server: Server) -> None:
    conflict = {**GOOD, "data_source": "videossr/jigsaw"}
    good, fault = score(server, {**GOOD, "data_source": "videossr/counting"}, conflict)
    assert good["score"] > 0
    assert fault["error"]["type"] == "task_conflict"
    for path, body in (
        ("/v1/score/jigsaw", {"items": [GOOD]}),
        ("/v1/score/counting", {"items": [{**GOOD, "task": None, "data_source": "videossr/jigsaw"}]}),
        ("/slime/counting", {"response": "312", "label": {"data_source": "videossr/jigsaw", "ground_truth": "312"}}),
        ("/slime/counting", {"response": "312", "label": {"task": "jigsaw", "ground_truth": "312"}}),
    ):
        reply = server.post(path, body)
        assert reply.status_code == 422
        assert reply.json()["error"]["type"] == "task_conflict", path


def test_middleware_that_a_user_adds_reaches_the_scoring_routes() -> None:
    from starlette.middleware.cors import CORSMiddleware
    from starlette.testclient import TestClient

    from reward_service.http.app import create_app
    from reward_service.settings import Settings

    app = create_app(Settings(tokens="secret"))  # type: ignore[arg-type]
    app.add_middleware(CORSMiddleware, allow_origins=["https://lab.example"], allow_methods=["POST"])
    client = TestClient(app, headers={"origin": "https://lab.example"})
    for headers, status in (({}, 401), ({"authorization": "Bearer secret"}, 200)):
        reply = client.post("/v1/score", json={"items": [GOOD]}, headers=headers)
        assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (status, "https://lab.example")


def test_a_task_may_set_an_alarm_of_its_own() -> None:
    """As math-verify does: the service has no timer that a task could disarm, and sets none that would disturb it."""
    import signal

    from starlette.testclient import TestClient

    from reward_service.http.app import create_app

    before = signal.getsignal(signal.SIGALRM)
    with TestClient(create_app()) as client:
        client.post("/v1/score", json={"items": [GOOD]})
        assert signal.getsignal(signal.SIGALRM) == before
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_is_remembered_is_bounded() -> None:
    """Truths and levels of any length are refused or cut before a cache or a table keeps them."""
    from reward_service.monitoring.rollout import level_label
    from reward_service.scoring.items import Fault, Item
    from reward_service.scoring.score import score_item

    long = "3" * 1_000_000
    fault = score_item(Item(task="counting", ground_truth=long, response="3"))
    assert isinstance(fault, Fault)
    assert "characters" in fault.error.message
    assert len(fault.error.message) < 1000
    assert level_label(long, long) == "unknown"
