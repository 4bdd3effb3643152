#!/usr/bin/env bash
# Quantizes the example model start to end: daemon, job, progress, checkpoint, perplexity.
set -euo pipefail
cd "$(dirname "$0")/.."

demo=$PWD/.demo
bin=$PWD/.build/release
log=$demo/gptqd.log
daemon=""
job=""

stop() {
  trap - EXIT INT TERM
  if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
    kill -TERM "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
}
interrupted() {
  # Otherwise the next demo would find it in the queue.
  [ -z "$job" ] || "$bin/gptqctl" cancel "$job" >/dev/null 2>&1 || true
  stop
  printf '\nstopped: the job was cancelled, gptqd has ended\n'
  exit 130
}
trap stop EXIT
trap interrupted INT TERM

failed() {
  echo "$1; the end of $log:" >&2
  tail -n 20 "$log" >&2
  exit 1
}

mkdir -p "$demo"
rm -f "$demo/data/gptqd.url"
export GPTQD_HTTP_LISTEN=127.0.0.1:0 GPTQD_DATA_FOLDER=$demo/data
export GPTQD_MODELS_ROOTS=$PWD/Examples/models GPTQD_DATASETS_ROOTS=$PWD/Examples/datasets
# In a session of its own, so that Ctrl-C reaches this script first and the daemon is stopped in order.
setsid "$bin/gptqd" serve >"$log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
  [ -s "$demo/data/gptqd.url" ] && break
  kill -0 "$daemon" 2>/dev/null || failed "gptqd did not start"
  sleep 0.1
done
[ -s "$demo/data/gptqd.url" ] || failed "gptqd did not start within 10 seconds"
GPTQD_URL=$(cat "$demo/data/gptqd.url")
export GPTQD_URL
echo "gptqd listens on $GPTQD_URL"

job=$("$bin/gptqctl" submit tiny-qwen2-kjv --bits 4 --group-size 64 --calibration kjv-calibration --samples 128 --sequence-length 512 \
  --evaluation kjv-heldout)
echo "job $job: tiny-qwen2-kjv to 4 bits, group size 64"
echo
"$bin/gptqctl" watch "$job" || failed "the job did not succeed"
echo
rm -rf "$demo/checkpoint"
"$bin/gptqctl" fetch "$job" --output "$demo/checkpoint"
echo
"$bin/gptqctl" layers "$job"
echo
"$bin/gptqctl" show "$job" | grep '^perplexity'
cat <<END
checkpoint   $demo/checkpoint

Three commands to try next, with the server running again in another terminal:
  GPTQD_DATA_FOLDER=$demo/data GPTQD_MODELS_ROOTS=$GPTQD_MODELS_ROOTS GPTQD_DATASETS_ROOTS=$GPTQD_DATASETS_ROOTS $bin/gptqd serve
  $bin/gptqctl submit tiny-qwen2-kjv --bits 3 --group-size 32 --calibration kjv-calibration --sequence-length 512 --evaluation kjv-heldout --watch
  $bin/gptqctl attempts latest
END
