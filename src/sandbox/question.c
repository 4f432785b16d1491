/* question.c -- see question.h. */
#include "question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROW_BITS 12
#define ROWS_MAX (1u << ROW_BITS)
#define FIRST_ROWS 8u

static int grow(struct cell_questions *questions, struct cell_error *error)
{
  uint32_t size = questions->size > 0 ? questions->size * 2 : FIRST_ROWS;
  struct cell_question *rows;
  uint32_t i;

  if (size > ROWS_MAX)
    return cell_fail(error, CELL_LIMIT_EXCEEDED, 0,
                     "a sandbox takes %u questions at a time", ROWS_MAX);
  rows = realloc(questions->rows, size * sizeof *rows);
  if (rows == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM, "ask a sandbox");
  memset(rows + questions->size, 0, (size - questions->size) * sizeof *rows);
  for (i = questions->size; i < size; i++)
    rows[i].next_free = i + 1 < size ? i + 2 : 0;
  questions->first_free = questions->size + 1;
  questions->rows = rows;
  questions->size = size;
  return 0;
}

struct cell_question *cell_question_new(struct cell_questions *questions,
                                        uint32_t type, struct cell_error *error)
{
  struct cell_question *question;
  uint32_t row;

  if (questions->first_free == 0 && grow(questions, error) < 0)
    return NULL;
  row = questions->first_free - 1;
  question = &questions->rows[row];
  questions->first_free = question->next_free;
  *question = (struct cell_question){0};
  question->request = ++questions->sequence << ROW_BITS | row;
  question->state = CELL_QUESTION_ASKED;
  question->expected.type = type;
  question->answer.fd = -1;
  return question;
}

struct cell_question *cell_question_find(struct cell_questions *questions,
                                         uint64_t request)
{
  uint32_t row = (uint32_t)request & (ROWS_MAX - 1);

  if (row >= questions->size || questions->rows[row].request != request ||
      questions->rows[row].state == CELL_QUESTION_FREE)
    return NULL;
  return &questions->rows[row];
}

void cell_question_free(struct cell_questions *questions,
                        struct cell_question *question)
{
  cell_answer_clear(&question->answer);
  question->state = CELL_QUESTION_FREE;
  question->listener = NULL;
  question->next_free = questions->first_free;
  questions->first_free = (uint32_t)(question - questions->rows) + 1;
}

int cell_question_add(struct cell_question *question,
                      struct cell_delivery *delivery, struct cell_error *error)
{
  struct cell_answer *answer = &question->answer;
  size_t length = answer->length + delivery->frame.length;
  unsigned char *payload;

  if (length > CELL_ANSWER_MAX)
    return cell_fail(error, CELL_PROTOCOL, 0,
                     "the sandbox broke the protocol (an answer of more than "
                     "%u bytes) and was ended",
                     CELL_ANSWER_MAX);
  payload = realloc(answer->payload, length > 0 ? length : 1);
  if (payload == NULL)
    return cell_fail(error, CELL_OUT_OF_MEMORY, ENOMEM,
                     "keep an answer of the sandbox, which was ended");
  if (delivery->frame.length > 0)
    memcpy(payload + answer->length, delivery->frame.payload,
           delivery->frame.length);
  answer->payload = payload;
  answer->length = length;
  answer->type = delivery->frame.type;
  answer->messages++;
  if (delivery->fd_count > 0)
    answer->fd = cell_fd_take(&delivery->fds[0]);
  if (cell_reply_starved(delivery)) {
    struct cell_packer
      packer; /* the errno is what such an answer begins with */

    cell_pack_start(&packer, answer->payload, answer->length);
    cell_pack_u32(&packer, EMFILE);
  }
  return 0;
}

void cell_questions_clear(struct cell_questions *questions)
{
  uint32_t i;

  for (i = 0; i < questions->size; i++) {
    if (questions->rows[i].state != CELL_QUESTION_FREE)
      cell_answer_clear(&questions->rows[i].answer);
  }
  free(questions->rows);
  *questions = (struct cell_questions){0};
}

void cell_answer_clear(struct cell_answer *answer)
{
  free(answer->payload);
  cell_fd_close(&answer->fd);
  *answer = (struct cell_answer){0};
  answer->fd = -1;
}
