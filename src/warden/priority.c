/* priority.c -- see priority.h. */
#include "priority.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OF_PROCESS 1 /* IOPRIO_WHO_PROCESS */
#define CLASS_SHIFT 13
#define CLASS_REAL_TIME 1

/* By the bare calls: musl answers ENOSYS to sched_setscheduler, whose meaning
** for Linux is that of a thread. The policy of a host that is idle is kept.
*/
static void schedule(int policy)
{
  const struct sched_param parameters = {0};

  if (syscall(SYS_sched_getscheduler, 0) != SCHED_IDLE)
    (void)syscall(SYS_sched_setscheduler, 0, policy, &parameters);
}

/* As root this cannot be taken back by who has no rights; else it can. */
static void join_those_that_are_killed(void)
{
  static const char path[] = "/proc/self/oom_score_adj";
  char text[16] = "";
  int fd = open(path, O_RDWR | O_CLOEXEC);

  if (fd < 0)
    return;
  if (read(fd, text, sizeof text - 1) > 0 && atoi(text) < 0)
    (void)!pwrite(fd, "0", 1, 0);
  close(fd);
}

void priority_give_up(void)
{
  priority_normal();
  if (getpriority(PRIO_PROCESS, 0) < 0)
    (void)setpriority(PRIO_PROCESS, 0, 0);
  if (syscall(SYS_ioprio_get, OF_PROCESS, 0) >> CLASS_SHIFT == CLASS_REAL_TIME)
    (void)syscall(SYS_ioprio_set, OF_PROCESS, 0, 0);
  join_those_that_are_killed();
}

void priority_batch(void)
{
  schedule(SCHED_BATCH);
}

void priority_normal(void)
{
  schedule(SCHED_OTHER);
}
