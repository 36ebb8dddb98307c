#!/bin/bash
# Prolog of slurm.conf: judges driver and GPUs of a node before a job that was given GPUs starts on it.
#
#   Prolog=/etc/slurm/prolog.d/trtdoctor.sh
#   PrologFlags=Alloc
#
# A prolog that exits non-zero drains the node and requeues the job. Therefore TRTDOCTOR_PROLOG_MODE:
#   report   exits 0 whatever is found; the syslog has it. Begin with this.
#   enforce  exits 1 for findings at or over TRTDOCTOR_FAIL_ON; a check that itself could not run is logged, and exits 0.
#   strict   exits 1 for findings, and 2 when the check itself could not run.
# Only driver, GPU and container are judged (and what --require in TRTDOCTOR_ARGUMENTS asks for), on the whole node: which
# TensorRT a job brings is not known here. No canary: other jobs may use the GPUs.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin # Slurm sets none
export LC_ALL=C.UTF-8
unset CUDA_VISIBLE_DEVICES # the node, not this job's share of it

program=${TRTDOCTOR_PROGRAM:-/opt/trtdoctor/bin/trtdoctor}
mode=${TRTDOCTOR_PROLOG_MODE:-enforce}
fail_on=${TRTDOCTOR_FAIL_ON:-error}
seconds=${TRTDOCTOR_SECONDS:-60}

[ -n "${SLURM_JOB_GPUS:-}" ] || exit 0 # the job was given no GPU

# shellcheck disable=SC2086 # TRTDOCTOR_ARGUMENTS are words
output=$(timeout --kill-after=5 "$seconds" "$program" check --canary never --select CTR,DRV,GPU,POL \
  --fail-on "$fail_on" ${TRTDOCTOR_ARGUMENTS:-} 2>&1)
code=$?

if [ "$code" -ne 0 ]; then
  case $code in
    1) what="not fit" ;;
    124 | 137) what="the check did not end within $seconds s" code=2 ;;
    *) what="the check could not run" code=2 ;;
  esac
  logger -t trtdoctor -p daemon.err -- "job ${SLURM_JOB_ID:-?}: $what ($mode): ${output%%$'\n'*}" 2>/dev/null || true
  printf '%s\n' "$output" >&2
fi

case $mode:$code in
  report:* | enforce:2) exit 0 ;;
  *) exit "$code" ;;
esac
