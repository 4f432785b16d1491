/* metrics.c -- see metrics.h. */
#include "metrics.h"

#include "../root/store.h"
#include "../warden.h"
#include "watchdog.h"

static uint64_t larger(uint64_t one, uint64_t other)
{
  return one > other ? one : other;
}

void metrics_answer(struct warden *warden)
{
  unsigned char bytes[64];
  struct cell_packer packer;
  uint64_t memory, cpu, used, total;
  uint32_t processes;

  watchdog_measure(warden, &memory, &processes, &cpu);
  cpu += warden->cpu_reaped_us;
  if (warden->cgroup.usage >= 0)
    memory = cgroup_usage(&warden->cgroup);
  if (warden->cgroup.cpu >= 0)
    cpu = cgroup_cpu_us(&warden->cgroup);
  if (warden->cgroup.peak >= 0)
    warden->memory_peak = cgroup_peak(&warden->cgroup);
  warden->memory_peak = larger(warden->memory_peak, memory);
  warden->processes_peak = (uint32_t)larger(warden->processes_peak, processes);
  /* That of orphans, and of children that nobody waited for, ends with them. */
  warden->cpu_us = larger(warden->cpu_us, cpu);
  store_usage(&used, &total);
  cell_pack_start(&packer, bytes, sizeof bytes);
  cell_pack_u64(&packer, warden->cpu_us);
  cell_pack_u32(&packer, processes);
  cell_pack_u32(&packer, warden->processes_peak);
  cell_pack_u64(&packer, memory);
  cell_pack_u64(&packer, warden->memory_peak);
  cell_pack_u64(&packer, used);
  cell_pack_u64(&packer, total);
  wire_send(warden->channel, CELL_METRICS_ARE, warden->message.frame.request,
            &packer, -1);
}
