"""`python -m eval …` where the model runs in this process, beside a torchvision that does not fit a CPU build of torch."""

import sys

from trainer.cpu.torchvision import make_importable

make_importable()

from eval.__main__ import main

sys.exit(main(sys.argv[1:]))
