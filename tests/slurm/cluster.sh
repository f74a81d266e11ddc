#!/bin/bash
# Eight shards on a Slurm cluster of one node: cluster.sh PROGRAM, in an empty folder.
#
# Debian's slurm-wlm is installed into an overlay over / that lives in memory, in namespaces of its own: nothing outside the folder changes, and the cluster
# ends with this script. One task is killed, one is told to stop by scancel; both go back into the queue. Leaves run/, gathered, and settings, what was
# planned. Exit code 77: it cannot be had here, and the last line says why.
set -euo pipefail
program=$1 here=$PWD
skip() { echo "$1"; exit 77; }

if [ "${2:-}" != inside ]; then
  # Continuous integration lends the superuser by sudo; nobody else is asked for it.
  root=()
  [ "$(id -u)" = 0 ] || { [ -n "${CI:-}" ] && sudo -n true 2>/dev/null && root=(sudo -n); } || skip "a scratch root needs the superuser"
  command -v apt-get >/dev/null && command -v unshare >/dev/null || skip "this is no Debian"
  "${root[@]}" unshare --mount --pid --fork --mount-proc true 2>/dev/null || skip "namespaces are not allowed here"
  exec "${root[@]}" unshare --mount --pid --fork --kill-child --mount-proc bash "$0" "$program" inside
fi

if [ "${3:-}" != root ]; then
  mkdir -p "$here/layer" "$here/root"
  mount -t tmpfs none "$here/layer"
  mkdir "$here/layer/upper" "$here/layer/work"
  mount -t overlay -o "lowerdir=/,upperdir=$here/layer/upper,workdir=$here/layer/work" none "$here/root" || skip "no overlay can be mounted here"
  for shared in /proc /dev /sys; do mount --rbind "$shared" "$here/root$shared"; done
  for shared in "$here" "$(dirname "$program")"; do mkdir -p "$here/root$shared"; mount --bind "$shared" "$here/root$shared"; done
  exec chroot "$here/root" bash -c 'cd "$1" && exec bash "$2" "$3" inside root' _ "$here" "$(realpath "$0")" "$program"
fi

# Inside: the packages, without their services, and a configuration that needs no systemd.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive
apt() { timeout 240 apt-get -qq -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 -o Acquire::Retries=1 "$@"; }
apt update >/dev/null 2>&1 || true
apt install -y --no-install-recommends slurm-wlm munge >install.log 2>&1 || skip "slurm-wlm cannot be installed: $(tail -1 install.log)"
echo "installed after $SECONDS s"
node=$(hostname -s)
mkdir -p /run/munge /var/spool/slurm/state /var/spool/slurm/d /etc/slurm
chown munge: /run/munge /var/lib/munge /var/log/munge /etc/munge
[ -f /etc/munge/munge.key ] || { head -c 1024 /dev/urandom > /etc/munge/munge.key; chown munge: /etc/munge/munge.key; chmod 400 /etc/munge/munge.key; }
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=scratch
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
StateSaveLocation=/var/spool/slurm/state
SlurmdSpoolDir=/var/spool/slurm/d
SlurmctldLogFile=$here/slurmctld.log
SlurmdLogFile=$here/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
ReturnToService=2
KillWait=5
NodeName=$node NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
su -s /bin/sh munge -c /usr/sbin/munged || skip "munged does not start"
slurmctld && slurmd || skip "the daemons do not start: $(tail -1 "$here/slurmctld.log")"
for _ in $(seq 60); do [ "$(sinfo -h -o %t 2>/dev/null)" = idle ] && break; sleep 1; done
[ "$(sinfo -h -o %t)" = idle ] || skip "the node does not come up: $(tail -1 "$here/slurmd.log")"
echo "$(sbatch --version): $(sinfo -h -o '%D node, %c processors')"

echo '--alignment 0.1..0.9 --steps 200 --seeds 8 --backend reference' > settings
"$program" sweep plan $(cat settings) --out run
"$program" sweep submit run --slurm --shards 8 --time 30 | tee submitted
array=$(awk '{print $2}' submitted) gather=$(awk '{print $7}' submitted)
# On a slow machine all other tasks may be over before the killed one is back in the queue; tables would then be made, and fail, without it.
scontrol hold "$gather"

# The process of a shard that has finished some cells and is still running.
process() {
  for _ in $(seq 600); do
    if [ -s "run/shards/$1-of-8.jsonl" ]; then
      sed -n 's/.*"process": \([0-9]*\).*/\1/p' "run/shards/$1-of-8.json"
      return
    fi
    sleep 0.1
  done
  echo "shard $1 does not begin" >&2
  exit 1
}
state() { scontrol show job "$1" | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p' | head -1; }
killed=$(process 1)
kill -KILL "$killed"
stopped=$(process 3)
# scancel may report that it cannot, having done it, and then asks for a job that is gone for seconds: the task itself tells.
for _ in $(seq 20); do
  [ "$(state "${array}_3")" = RUNNING ] || break
  timeout 2 scancel --signal=TERM "${array}_3" || true
  sleep 1
done
"$program" sweep status run
for _ in $(seq 300); do [ "$(state "${array}_1")" = FAILED ] && break; sleep 0.2; done
echo "shard 1 was killed (process $killed): $(state "${array}_1")"
scontrol requeue "${array}_1"
scontrol release "$gather"
echo "shard 3 was told to stop (process $stopped): $(state "${array}_3")"
# A job that went back into the queue waits for two minutes, unless told that it need not.
for _ in $(seq 400); do
  for task in 1 3; do
    [ "$(state "${array}_$task")" = PENDING ] && scontrol update "JobId=${array}_$task" StartTime=now 2>/dev/null || true
  done
  [ -f run/manifest.json ] && break
  [ "$(state "$gather")" = FAILED ] && break
  sleep 1
done
for task in 1 3; do echo "task $task: $(scontrol show job "${array}_$task" | grep -o 'JobState=[A-Z]*\|Restarts=[0-9]*\|ExitCode=[0-9:]*' | tr '\n' ' ')"; done
"$program" sweep status run
cat run/slurm/gather_*.out | tail -1
echo "gathered after $SECONDS s"
[ -f run/manifest.json ] || { cat run/slurm/*.out; squeue; exit 1; }
