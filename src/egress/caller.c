/* caller.c -- connections by which names are asked for (see egress_private.h).
**
** One question at a time of each, as asked.c answers them: its length before
** it, and before its answer. What cannot be one ends the connection.
*/
#include "egress_private.h"

#include "../container.h"
#include "../descriptor.h"
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define LENGTH 2
#define IDLE_MS 10000

struct cell_caller {
  struct cell_caller *next;
  struct cell_egress *egress;
  struct cell_source source;
  struct cell_timer timer;
  int fd;
  int is_asking; /* its question has no answer yet */
  size_t got;
  unsigned char bytes[LENGTH + CELL_QUERY_MAX];
};

/* It is in the list no more. */
static void caller_end(struct cell_caller *caller)
{
  struct cell_egress *egress = caller->egress;

  egress->caller_count--;
  cell_asked_forget(egress, caller);
  cell_timer_disarm(egress->reactor, &caller->timer);
  cell_source_remove(egress->reactor, &caller->source);
  cell_fd_close(&caller->fd);
  free(caller);
}

static void hang_up(struct cell_caller *caller)
{
  struct cell_egress *egress = caller->egress;
  struct cell_caller **at = &egress->callers;

  while (*at != caller)
    at = &(*at)->next;
  *at = caller->next;
  caller_end(caller);
  cell_egress_look(egress);
}

static void time_passed(struct cell_timer *timer)
{
  hang_up(CELL_CONTAINER(timer, struct cell_caller, timer));
}

/* Whether a whole question is there; -1: nor will be. */
static int holds_question(const struct cell_caller *caller)
{
  size_t length;

  if (caller->got < LENGTH)
    return 0;
  length = (size_t)caller->bytes[0] << 8 | caller->bytes[1];
  return length > CELL_QUERY_MAX ? -1 : caller->got >= LENGTH + length;
}

/* For the next question: one that is there already comes with the next turn. */
static void wait_for_question(struct cell_caller *caller)
{
  struct cell_reactor *reactor = caller->egress->reactor;

  cell_source_want(reactor, &caller->source,
                   holds_question(caller) != 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
  cell_timer_arm(reactor, &caller->timer,
                 cell_clock_after(cell_reactor_clock(reactor), IDLE_MS), NULL);
}

void cell_caller_answer(struct cell_caller *caller, const unsigned char *bytes,
                        size_t size)
{
  unsigned char answer[LENGTH + CELL_QUERY_REPLY];

  answer[0] = (unsigned char)(size >> 8);
  answer[1] = (unsigned char)size;
  memcpy(answer + LENGTH, bytes, size);
  size += LENGTH;
  /* A client that does not read its answers gets no more of them. */
  if (send(caller->fd, answer, size, MSG_DONTWAIT | MSG_NOSIGNAL) !=
      (ssize_t)size)
    shutdown(caller->fd, SHUT_RDWR);
  caller->is_asking = 0;
  wait_for_question(caller);
}

/* 0, or -1: there is no answer to it. */
static int ask(struct cell_caller *caller)
{
  struct cell_egress *egress = caller->egress;
  unsigned char question[CELL_QUERY_MAX];
  size_t length = (size_t)caller->bytes[0] << 8 | caller->bytes[1];

  memcpy(question, caller->bytes + LENGTH, length);
  caller->got -= LENGTH + length;
  memmove(caller->bytes, caller->bytes + LENGTH + length, caller->got);
  caller->is_asking = 1;
  cell_source_want(egress->reactor, &caller->source, 0);
  cell_timer_disarm(egress->reactor, &caller->timer);
  return cell_asked_by(egress, caller, question, length);
}

/* 0, or -1: it has ended, or asks for too much. */
static int receive(struct cell_caller *caller)
{
  ssize_t count = recv(caller->fd, caller->bytes + caller->got,
                       sizeof caller->bytes - caller->got, MSG_DONTWAIT);

  if (count > 0)
    caller->got += (size_t)count;
  else if (count == 0 || (errno != EAGAIN && errno != EINTR))
    return -1;
  return 0;
}

static void ready(struct cell_source *source, uint32_t events)
{
  struct cell_caller *caller =
    CELL_CONTAINER(source, struct cell_caller, source);
  int result = caller->is_asking ? -1 : holds_question(caller);

  (void)events;
  if (result == 0) {
    result = receive(caller);
    if (result == 0)
      result = holds_question(caller);
  }
  if (result > 0)
    result = ask(caller);
  if (result < 0)
    hang_up(caller);
}

void cell_caller_begin(struct cell_egress *egress, int fd)
{
  struct cell_caller *caller = calloc(1, sizeof *caller);

  if (caller == NULL) {
    cell_fd_close(&fd);
    return;
  }
  caller->egress = egress;
  caller->fd = fd;
  caller->timer.due = time_passed;
  caller->source = (struct cell_source){fd, EPOLLIN, ready, 0};
  caller->next = egress->callers;
  egress->callers = caller;
  egress->caller_count++;
  if (cell_source_add(egress->reactor, &caller->source, NULL) < 0)
    hang_up(caller);
  else
    wait_for_question(caller);
}

void cell_callers_clear(struct cell_egress *egress)
{
  while (egress->callers != NULL) {
    struct cell_caller *caller = egress->callers;

    egress->callers = caller->next;
    caller_end(caller);
  }
}
