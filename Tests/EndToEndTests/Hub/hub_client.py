"""Uses huggingface_hub as its users do, and prints what came of it as JSON.

HF_ENDPOINT, HF_HOME and HF_TOKEN are set; the argument is a JSON object with names: job, model, large, unfinished, damaged, unknown.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub
from huggingface_hub import HfApi, hf_hub_download, list_repo_files, model_info, snapshot_download

names = json.loads(sys.argv[1])
home = Path(os.environ["HF_HOME"])
hf = str(Path(sys.executable).parent / "hf")


def hashes(folder):
    files = [file for file in sorted(Path(folder).rglob("*")) if file.is_file() and ".cache" not in file.parts]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def repository(name):
    info = model_info(name)
    snapshot = snapshot_download(name)
    pinned = snapshot_download(name, revision=info.sha, cache_dir=home / "pinned")
    return {
        "id": info.id,
        "sha": info.sha,
        "siblings": [sibling.rfilename for sibling in info.siblings],
        "files": list_repo_files(name),
        "blobs": {
            sibling.rfilename: {"size": sibling.size, "oid": sibling.blob_id, "sha256": sibling.lfs and sibling.lfs.sha256}
            for sibling in model_info(name, files_metadata=True).siblings
        },
        "tree": {
            entry.path: {"size": entry.size, "oid": entry.blob_id, "sha256": entry.lfs and entry.lfs.sha256}
            for entry in HfApi().list_repo_tree(name, recursive=True)
            if hasattr(entry, "blob_id")
        },
        "commit": Path(snapshot).name,
        "snapshot": hashes(snapshot),
        "pinned": hashes(pinned),
        "exists": [HfApi().repo_exists(name), HfApi().file_exists(name, "config.json"), HfApi().file_exists(name, "nothing")],
    }


def run(*command, **environment):
    done = subprocess.run([hf, *command], capture_output=True, text=True, env={**os.environ, **environment})
    return {"status": done.returncode, "output": done.stdout + done.stderr}


def command_line():
    folder = home / "command-line"
    result = {"download": run("download", names["job"], "--local-dir", str(folder)), "files": hashes(folder)}
    if names["verify"]:
        result["verify"] = run("cache", "verify", names["job"], "--local-dir", str(folder))
        (folder / "config.json").write_text("{}")
        result["verify_changed"] = run("cache", "verify", names["job"], "--local-dir", str(folder))
    result["whoami"] = run("auth", "whoami")
    return result


class CuttingProxy:
    """Passes connections on, and cuts the first answer to a GET of the weights after some bytes."""

    def __init__(self, url, limit):
        host, port = url.removeprefix("http://").split(":")
        self.target, self.limit, self.requests, self.is_cut = (host, int(port)), limit, [], False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.target)
            state = {"cut": False}
            threading.Thread(target=self.requests_of, args=(client, server, state), daemon=True).start()
            threading.Thread(target=self.answers_of, args=(client, server, state), daemon=True).start()

    def requests_of(self, client, server, state):
        try:
            while data := client.recv(1 << 16):
                if data.startswith(b"GET ") and b"/weights.bin " in data:
                    fields = [line for line in data.decode().split("\r\n") if line.lower().startswith("range:")]
                    self.requests.append(fields[0].split(":")[1].strip() if fields else None)
                    state["cut"], self.is_cut = not self.is_cut, True
                server.sendall(data)
        except OSError:
            pass

    def answers_of(self, client, server, state):
        sent = 0
        try:
            while data := server.recv(1 << 16):
                client.sendall(data)
                sent += len(data) if state["cut"] else 0
                if sent > self.limit:
                    break
        except OSError:
            pass
        for side in (client, server):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def resumption():
    proxy = CuttingProxy(os.environ["HF_ENDPOINT"], 15 << 20)
    for _ in range(3):
        try:
            path = hf_hub_download(names["large"], "weights.bin", endpoint=proxy.url, cache_dir=home / "resumed")
            return {"ranges": proxy.requests, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
        except Exception as error:
            failure = repr(error)
    return {"ranges": proxy.requests, "sha256": failure}


def failures():
    def failure(call, *arguments, **keywords):
        try:
            return {"classes": [], "message": repr(call(*arguments, **keywords))}
        except Exception as error:
            chain, cause = [], error
            while cause is not None:
                chain.append(str(cause))
                cause = cause.__cause__
            response = getattr(error, "response", None)
            return {
                "classes": [kind.__name__ for kind in type(error).__mro__],
                "message": "\n".join(chain),
                "status": response.status_code if response is not None else 0,
            }

    job, cache = names["job"], {"cache_dir": home / "failures"}
    return {
        "unknown info": failure(model_info, names["unknown"]),
        "unknown snapshot": failure(snapshot_download, names["unknown"], **cache),
        "unknown file": failure(hf_hub_download, names["unknown"], "config.json", **cache),
        "elsewhere info": failure(model_info, "org/name"),
        "elsewhere file": failure(hf_hub_download, "gpt2", "config.json", **cache),
        "unfinished info": failure(model_info, names["unfinished"]),
        "unfinished snapshot": failure(snapshot_download, names["unfinished"], **cache),
        "unfinished file": failure(hf_hub_download, names["unfinished"], "config.json", **cache),
        "revision info": failure(model_info, job, revision="v1"),
        "revision snapshot": failure(snapshot_download, job, revision="v1", **cache),
        "revision file": failure(hf_hub_download, job, "config.json", revision="refs/pr/1", **cache),
        "entry file": failure(hf_hub_download, job, "nothing.json", **cache),
        "entry below": failure(hf_hub_download, job, "config.json", subfolder="nothing", **cache),
        "no token info": failure(model_info, job, token=False),
        "no token snapshot": failure(snapshot_download, job, token=False, **cache),
        "no token file": failure(hf_hub_download, job, "config.json", token=False, **cache),
        "wrong token info": failure(model_info, job, token="hf_wrong"),
        "wrong token file": failure(hf_hub_download, job, "config.json", token="hf_wrong", **cache),
        "damaged file": failure(hf_hub_download, names["damaged"], "config.json", **cache),
        "damaged snapshot": failure(snapshot_download, names["damaged"], **cache),
    }


def transformers():
    from transformers import AutoConfig, AutoTokenizer

    result = {}
    for name in (names["job"], names["model"]):
        config, tokenizer = AutoConfig.from_pretrained(name), AutoTokenizer.from_pretrained(name)
        settings = getattr(config, "quantization_config", None)
        result[name] = {
            "model_type": config.model_type,
            "hidden_size": config.hidden_size,
            "bits": settings["bits"] if isinstance(settings, dict) else getattr(settings, "bits", None),
            "tokens": tokenizer(os.environ["TEXT"])["input_ids"],
        }
    return result


# The libraries' progress bars aren't made for several threads.
with ThreadPoolExecutor() as pool:
    commands = pool.submit(command_line)
    result = {
        "version": huggingface_hub.__version__,
        "job": repository(names["job"]),
        "model": repository(names["model"]),
        "resumption": resumption(),
        "failures": failures(),
        "transformers": transformers() if names["transformers"] else None,
        "command_line": commands.result(),
    }
print(json.dumps(result))
