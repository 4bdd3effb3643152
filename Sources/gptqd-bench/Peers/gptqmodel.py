"""Quantizes with GPTQModel on the CPU and tells how long its quantize() took.

usage: gptqmodel.py MODEL TOKENS.jsonl SAMPLES LENGTH BITS GROUP THREADS RESULT.json

The sequences are the rows' input_ids, joined and cut. Nothing is saved: only quantize() is measured.
"""

import json
import os
import sys
import time

model_folder, tokens_file = sys.argv[1:3]
samples, length, bits, group, threads = map(int, sys.argv[3:8])
result_file = sys.argv[8]

os.environ["GPTQMODEL_CPU_WORKERS"] = str(threads)
os.environ["OMP_NUM_THREADS"] = str(threads)
os.environ["HF_HUB_OFFLINE"] = "1"
# GPTQModel leaves a folder of logs where it runs.
os.chdir(os.path.dirname(result_file))
# Otherwise looking for GPUs that aren't there counts.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch  # noqa: E402
from gptqmodel import GPTQModel, QuantizeConfig  # noqa: E402
from gptqmodel.version import __version__ as version  # noqa: E402

torch.set_num_threads(threads)

ids = []
with open(tokens_file) as rows:
    for row in rows:
        ids += json.loads(row)["input_ids"]
        if len(ids) >= samples * length:
            break
if len(ids) < samples * length:
    sys.exit(f"{tokens_file} holds {len(ids)} tokens, {samples * length} are needed")
calibration = [
    {"input_ids": ids[start : start + length], "attention_mask": [1] * length}
    for start in range(0, samples * length, length)
]

model = GPTQModel.load(
    model_folder, QuantizeConfig(bits=bits, group_size=group, offload_to_disk=False), device="cpu"
)
start = time.monotonic()
model.quantize(calibration, batch_size=1)
seconds = time.monotonic() - start

with open(result_file, "w") as result:
    json.dump({"seconds": seconds, "gptqmodel": version, "torch": torch.__version__}, result)
