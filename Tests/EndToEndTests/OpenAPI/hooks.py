"""Puts what the daemon has into the requests that schemathesis makes up, so that they get beyond the first 404.

Only values that are valid by the schema are replaced, by others that are: a request that has to be refused still has to be.
"""
import json
import os
import random
import re

import schemathesis

known = json.loads(os.environ["GPTQD_KNOWN"])
chance = random.Random(7)
NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,96}\Z")
JOB = re.compile(r"[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}\Z")
ANY = re.compile(".")


def replace(values, name, pattern, choices):
    value = values.get(name) if isinstance(values, dict) else None
    if isinstance(value, str) and pattern.match(value) and chance.random() < 0.9:
        values[name] = chance.choice(choices)


@schemathesis.hook
def before_call(context, case, kwargs):
    # The stateful phase has jobs of its own.
    if case.meta is None or case.meta.phase.name.value != "stateful":
        # What is deleted here would be missed later on.
        if case.method != "DELETE":
            replace(case.path_parameters, "id", JOB, known["jobs"])
        replace(case.path_parameters, "name", ANY, known["layers"])
        replace(case.path_parameters, "path", ANY, known["files"])
    if case.operation.definition.raw.get("operationId") == "submitJob" and isinstance(case.body, dict):
        replace(case.body, "model", NAME, [known["model"]])
        # The standard group is larger than the model's layers.
        quantization = case.body.setdefault("quantization", {})
        if isinstance(quantization, dict) and isinstance(quantization.get("group_size", 1), int):
            if 1 <= quantization.get("group_size", 1) <= 1 << 20:
                quantization["group_size"] = 32
        for part in ("calibration", "evaluation"):
            replace(case.body.get(part), "dataset", NAME, [known["dataset"]])
