"""What `trainer.v1.sampler.sampler_kwargs` may hold, apart from the sampler, which needs verl's queue to be imported."""

SAMPLER_SETTINGS = (
    "train_batch_size",
    "filter_groups_metric",
    "max_inflight_gen_batches",
    "poll_interval",
    "most_lost",
    "most_left_out",
)
