/* mask_test.c -- values that are found across all borders, against a search of
** the whole text that has time. #S115
*/
#include "bytes/mask.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 400
#define VALUES_MAX 6
#define ROUNDS 4000

struct sample {
  unsigned char values[VALUES_MAX][12];
  size_t lengths[VALUES_MAX];
  int count;
  unsigned char text[TEXT_MAX];
  size_t length;
};

/* Letters of a small alphabet, so that values overlap and begin again. */
static void make(struct sample *sample)
{
  int letters = 1 + rand() % 3, i;
  size_t k;

  sample->count = 1 + rand() % VALUES_MAX;
  for (i = 0; i < sample->count; i++) {
    sample->lengths[i] = 4 + (size_t)rand() % 9;
    for (k = 0; k < sample->lengths[i]; k++)
      sample->values[i][k] = (unsigned char)('a' + rand() % letters);
  }
  sample->length = (size_t)rand() % TEXT_MAX;
  for (k = 0; k < sample->length; k++)
    sample->text[k] = (unsigned char)('a' + rand() % (letters + 1));
}

/* What must come out: each byte that is in some value hidden. */
static size_t expect(const struct sample *sample, unsigned char *out)
{
  unsigned char hidden[TEXT_MAX + 16] = {0};
  size_t used = 0, k;
  int i;

  for (k = 0; k < sample->length; k++)
    for (i = 0; i < sample->count; i++)
      if (k + sample->lengths[i] <= sample->length &&
          memcmp(sample->text + k, sample->values[i], sample->lengths[i]) == 0)
        memset(hidden + k, 1, sample->lengths[i]);
  for (k = 0; k < sample->length; k++) {
    if (!hidden[k]) {
      out[used++] = sample->text[k];
    } else if (k == 0 || !hidden[k - 1]) {
      memcpy(out + used, "***", 3);
      used += 3;
    }
  }
  return used;
}

static struct cell_mask *mask_of(const struct sample *sample)
{
  struct cell_mask *mask = cell_mask_new(NULL);
  int i;

  for (i = 0; i < sample->count; i++)
    cell_mask_add(mask, sample->values[i], sample->lengths[i], NULL);
  cell_mask_seal(mask, NULL);
  return mask;
}

/* In pieces of random size. */
static size_t feed(const struct sample *sample, struct cell_mask *mask,
                   unsigned char *out)
{
  struct cell_masking *masking = cell_masking_open(mask);
  size_t used = 0, done = 0;

  while (done < sample->length) {
    size_t part = 1 + (size_t)rand() % 7;

    if (part > sample->length - done)
      part = sample->length - done;
    used += cell_masking_feed(masking, sample->text + done, part, out + used);
    done += part;
  }
  used += cell_masking_end(masking, out + used);
  cell_masking_close(masking);
  return used;
}

static void compare(void)
{
  static struct sample sample;
  unsigned char wanted[2 * TEXT_MAX], got[2 * TEXT_MAX];
  int round, wrong = 0, wrong_whole = 0;

  srand(4711);
  for (round = 0; round < ROUNDS; round++) {
    struct cell_mask *mask;
    size_t size, used;
    long whole;

    make(&sample);
    mask = mask_of(&sample);
    size = expect(&sample, wanted);
    used = feed(&sample, mask, got);
    wrong += used != size || memcmp(wanted, got, size) != 0;
    whole = cell_mask_hide(mask, sample.text, sample.length, got);
    wrong_whole += whole != (long)size || memcmp(wanted, got, size) != 0;
    cell_mask_release(mask);
  }
  check(wrong == 0, "%d texts in pieces are masked as a whole is", ROUNDS);
  check(wrong_whole == 0, "%d texts are masked at once", ROUNDS);
}

/* Each byte comes as soon as it cannot be the beginning of a value. */
static void keeps_back_little(void)
{
  struct cell_mask *mask = cell_mask_new(NULL);
  struct cell_masking *masking;
  char out[64];

  cell_mask_add(mask, "password", 8, NULL);
  cell_mask_seal(mask, NULL);
  masking = cell_masking_open(mask);
  check(cell_masking_feed(masking, "a pass", 6, out) == 2 &&
          memcmp(out, "a ", 2) == 0,
        "what may begin a value is kept back, and nothing else");
  check(cell_masking_feed(masking, "port", 4, out) == 8 &&
          memcmp(out, "passport", 8) == 0,
        "it comes when it does not");
  check(cell_masking_feed(masking, "password", 8, out) == 3 &&
          memcmp(out, "***", 3) == 0,
        "a value that can grow no more is told at once");
  check(cell_masking_feed(masking, "pa", 2, out) == 0 &&
          cell_masking_end(masking, out) == 2 && memcmp(out, "pa", 2) == 0,
        "the end lets go what was kept back");
  cell_masking_close(masking);
  cell_mask_release(mask);
}

static void refuses(void)
{
  struct cell_mask *mask = cell_mask_new(NULL);
  char *large = calloc(1, CELL_MASK_BYTES_MAX);
  struct cell_error error = {0};

  check(cell_mask_add(mask, "abc", 3, &error) < 0 &&
          error.kind == CELL_INVALID_ARGUMENT,
        "a value of three bytes is refused: %s", error.message);
  check(cell_mask_add(mask, large, CELL_MASK_BYTES_MAX, &error) < 0 &&
          error.kind == CELL_INVALID_ARGUMENT,
        "too much is refused: %s", error.message);
  free(large);
  cell_mask_release(mask);
}

int main(void)
{
  compare();
  keeps_back_little();
  refuses();
  return check_status();
}
