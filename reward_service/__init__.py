"""Scores rollouts over HTTP for any RL trainer. `videossr serve`, or `uvicorn --factory reward_service.http.app:create_app`."""
