"""Scores rollouts over HTTP for any RL trainer. `uvicorn reward_service.app:app`, or `videossr serve`."""
