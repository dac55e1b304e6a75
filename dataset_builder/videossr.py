"""The loading script for versions of datasets that still run scripts (before 4.0):

    load_dataset("dataset_builder/videossr.py", "mixed", trust_remote_code=True, data_dir="videos/", seed=7)

From 4.0 on, `import dataset_builder` and `load_dataset("videossr", …)` do the same.
"""

from dataset_builder.builder import VideoSSR


class VideoSSRScript(VideoSSR):
    """Those versions look for a builder class that is defined in the script itself."""
