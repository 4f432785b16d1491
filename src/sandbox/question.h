/* question.h -- what a warden was asked, and what it has answered so far.
**
** A table with a bound. A request number holds its row, so that finding one is
** one look; it is never used twice.
*/
#ifndef CELL_QUESTION_H
#define CELL_QUESTION_H

#include "reply.h"
#include "sandbox.h"

enum cell_question_state {
  CELL_QUESTION_FREE,
  CELL_QUESTION_ASKED,
  CELL_QUESTION_ANSWERED, /* until the answer is taken */
  CELL_QUESTION_FORGOTTEN /* asked; the answer will be dropped */
};

struct cell_question {
  uint64_t request;
  enum cell_question_state state;
  struct cell_expected expected;
  struct cell_listener *listener; /* borrowed; of a SPAWN */
  struct cell_answer answer;
  uint32_t next_free; /* row plus 1 */
};

struct cell_questions {
  struct cell_question *rows;
  uint32_t size, first_free;
  uint64_t sequence;
};

/* NULL and *error: LIMIT_EXCEEDED or OUT_OF_MEMORY. Rows move: the pointer is
** good until the next cell_question_new.
*/
struct cell_question *cell_question_new(struct cell_questions *questions,
                                        uint32_t type,
                                        struct cell_error *error);
struct cell_question *cell_question_find(struct cell_questions *questions,
                                         uint64_t request);
void cell_question_free(struct cell_questions *questions,
                        struct cell_question *question);
/* Append a message to the answer and take its descriptor; one that was lost
** makes EMFILE of the answer. -1: too long (PROTOCOL), or OUT_OF_MEMORY.
*/
int cell_question_add(struct cell_question *question,
                      struct cell_delivery *delivery, struct cell_error *error);
void cell_questions_clear(struct cell_questions *questions);

#endif
